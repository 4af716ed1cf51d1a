"""Rules about the graph: what waits for what, and what can ever run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.validation import patches
from shared.validation.flow import constant, sent_to
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.definition import Step


def _told(*codes: str) -> Check:
    """A check that passes on what building the graph found."""

    def check(subject: Subject) -> Iterator[Found]:
        return (Found(p.path, p.message, p.fix) for p in subject.with_code(*codes))

    return check


def _unknown(code: str) -> Check:
    """The same for names of steps, with the name that was probably meant."""

    def check(subject: Subject) -> Iterator[Found]:
        for problem in subject.with_code(code):
            yield from _misspelt(subject, problem.path, problem.message, problem.fix)

    return check


def _misspelt(subject: Subject, path: str, message: str, fix: str) -> Iterator[Found]:
    """The entry of the list that is named in the message, and what it may have been meant to be."""
    section = path.partition("/")[0]
    known = [s.id for p, s in subject.steps if p.startswith(f"{section}/")]
    known += [s.parallel_group for _, s in subject.steps if s.parallel_group]
    value = subject.value(path)
    entries = enumerate(value) if isinstance(value, list) else ((None, value),)
    hit = [(i, v) for i, v in entries if isinstance(v, str) and f"'{v}'" in message]
    for index, name in hit[:1]:
        at = path if index is None else f"{path}/{index}"
        close = subject.close(name, [k for k in known if k not in (value or ())])
        patch = patches.replace(at, close) if close else ()
        yield Found(at, message, f"did you mean `{close}`?" if close else fix, patch)
    if not hit:
        yield Found(path, message, fix)


def _cycles(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("cyclic_dependencies"):
        names = problem.message.partition(": ")[2].split(" → ")
        at = subject.path_of.get(names[0], "steps")
        has_field = subject.step_of[names[0]].depends_on if names[0] in subject.step_of else ()
        yield Found(f"{at}/depends_on" if has_field else at, problem.message, problem.fix)


def _duplicate_dependencies(subject: Subject) -> Iterator[Found]:
    groups = {s.id: s.parallel_group for _, s in subject.steps if s.parallel_group}
    for path, step in subject.steps:
        for index, name in enumerate(step.depends_on):
            at = f"{path}/depends_on/{index}"
            if name in step.depends_on[:index]:
                yield Found(at, f"`{name}` is listed twice", "remove it", patches.remove(at))
            elif groups.get(name) in step.depends_on:
                yield Found(at, f"`{name}` belongs to group `{groups[name]}`, which is waited for, "
                            "too", "remove it", patches.remove(at))  # fmt: skip


def _unreachable(subject: Subject) -> Iterator[Found]:
    """Steps that can never run: switched off, or behind a door that never opens."""
    if subject.program is None:
        return
    why: dict[str, str] = {}
    senders = sent_to(subject)
    graph = subject.program.graph
    for name in graph.order:
        step = subject.step_of[name]
        reason = _never(step, senders.get(name, ()), why, subject)
        before = graph.dependencies[name]
        if not reason and before and all(one in why for one in before) and name not in senders:
            reason = f"nothing that it waits for ever runs (`{before[0]}`)"
        if reason:
            why[name] = reason
            yield Found(_at(subject, step), f"step `{name}` never runs: {reason}",
                        "remove it, or open the way to it")  # fmt: skip


def _at(subject: Subject, step: Step) -> str:
    path = subject.path_of[step.id]
    return f"{path}/when" if constant(step.when) is False else path


def _never(
    step: Step, senders: tuple[tuple[str, str], ...], why: dict[str, str], subject: Subject
) -> str:
    if constant(step.when) is False:
        return "its condition is always false"
    if senders and all(_closed(subject, name, field, why) for name, field in senders):
        return f"`{senders[0][0]}` never sends to it"
    return ""


def _closed(subject: Subject, sender: str, field: str, why: dict[str, str]) -> bool:
    """Whether a step never sends by this field."""
    step = subject.step_of[sender]
    if field == "else":
        return constant(step.when) is True
    if sender in why:
        return True
    if field.startswith("switch/") and step.switch is not None:
        cases = step.switch.cases
        taken = [i for i, case in enumerate(cases) if constant(case.when) is True]
        if field == "switch/else":
            return bool(taken)
        index = int(field.split("/")[2])
        never = constant(cases[index].when) is False
        return never or (step.switch.match == "first" and any(i < index for i in taken))
    return False


def _lonely_groups(subject: Subject) -> Iterator[Found]:
    members: dict[str, list[str]] = {}
    for path, step in subject.steps if subject.program is not None else ():
        if step.parallel_group:
            members.setdefault(step.parallel_group, []).append(path)
    for group, paths in members.items():
        if len(paths) == 1 and not _is_waited_for(subject, group):
            at = f"{paths[0]}/parallel_group"
            yield Found(at, f"group `{group}` has one member, and nobody waits for it",
                        "remove it, or give the others the same group",
                        patches.remove(at))  # fmt: skip


def _is_waited_for(subject: Subject, group: str) -> bool:
    return any(group in step.depends_on for _, step in subject.steps)


def _unknown_regions(subject: Subject) -> Iterator[Found]:
    regions = {step.region for _, step in subject.steps if step.region}
    for path, step in subject.steps:
        for index, name in enumerate(step.cancels):
            if name not in regions:
                close = subject.close(name, regions)
                at = f"{path}/cancels/{index}"
                fix = f"did you mean `{close}`?" if close else "give steps this `region`"
                patch = patches.replace(at, close) if close else ()
                yield Found(at, f"no step is in region `{name}`", fix, patch)


def _joins(subject: Subject) -> Iterator[Found]:
    if subject.program is None:
        return
    for path, step in subject.steps:
        before = subject.program.graph.dependencies[step.id]
        if isinstance(step.join, int) and step.join > len(before):
            yield Found(f"{path}/join", f"step `{step.id}` needs {step.join} steps to complete, "
                        f"and waits for {len(before)}", f"write at most {len(before)}, or `all`",
                        patches.replace(f"{path}/join", "all"))  # fmt: skip


def _waits(subject: Subject) -> Iterator[Found]:
    """A wait that only a signal ends, in an execution without an end."""
    if subject.template is None or subject.template.policies.timeout_s is not None:
        return
    for path, step in subject.steps:
        options = step.wait_for.options if step.wait_for is not None else ()
        ends = any(o.after_s or (o.approval and o.approval.expires_after_s) for o in options)
        if options and not ends:
            yield Found(f"{path}/wait_for", f"`{step.id}` waits for ever if what it waits for "
                        "never happens", "add an option with `after_s`, or give the workflow a "
                        "`policies.timeout_s`")  # fmt: skip


_HEAD: Final = "id: patch_host\nname: Patch a host\n"


def _example(steps: str, rest: str = "") -> Example:
    return Example(f"{_HEAD}steps:\n{steps}{rest}")


_SOUND: Final = _example("""\
  - id: drain
    command: noop
  - id: patch
    command: noop
    depends_on: [drain]
""")

RULES: Final = (
    Rule(
        code="unknown-dependency",
        level="basic",
        severity="error",
        summary="A step waits for a step or group that does not exist.",
        why="It would wait for ever, or start too early; neither is what was meant.",
        check=_unknown("unknown_dependency"),
        bad=_example("""\
  - id: drain
    command: noop
  - id: patch
    command: noop
    depends_on: [drian]
"""),
        good=_SOUND,
        binding=True,
    ),
    Rule(
        code="unknown-step",
        level="basic",
        severity="error",
        summary="A branch or handler leads to a step that does not exist.",
        why="The branch would lead nowhere. It can only lead to another step of the same section.",
        check=_unknown("unknown_step"),
        bad=_example("""\
  - id: patch
    command: noop
    on_failure: [revert]
  - id: undo_patch
    command: noop
"""),
        good=_example("""\
  - id: patch
    command: noop
    on_failure: [undo_patch]
  - id: undo_patch
    command: noop
"""),
        binding=True,
    ),
    Rule(
        code="dependency-cycle",
        level="basic",
        severity="error",
        summary="Steps wait for each other.",
        why="None of them could ever start.",
        check=_cycles,
        bad=_example("""\
  - id: drain
    command: noop
    depends_on: [patch]
  - id: patch
    command: noop
    depends_on: [drain]
"""),
        good=_SOUND,
        binding=True,
    ),
    Rule(
        code="group-name-taken",
        level="basic",
        severity="error",
        summary="A parallel group has the name of a step.",
        why="`depends_on` names both, so it would be unclear what is waited for.",
        check=_told("group_name_taken"),
        bad=_example("""\
  - id: drain
    command: noop
    parallel_group: patch
  - id: patch
    command: noop
    parallel_group: patch
"""),
        good=_SOUND,
        binding=True,
    ),
    Rule(
        code="duplicate-dependency",
        level="basic",
        severity="info",
        summary="A step waits for the same thing twice.",
        why="It does no harm, and is most likely another name that was mistyped.",
        check=_duplicate_dependencies,
        bad=_example("""\
  - id: drain
    command: noop
  - id: patch
    command: noop
    depends_on: [drain, drain]
"""),
        good=_SOUND,
    ),
    Rule(
        code="unreachable-step",
        level="basic",
        severity="warning",
        summary="A step can never run.",
        why="Whoever reads the workflow believes that it does what the step says.",
        check=_unreachable,
        bad=_example("""\
  - id: patch
    command: noop
    when: "false"
"""),
        good=_SOUND,
    ),
    Rule(
        code="lonely-group",
        level="basic",
        severity="info",
        summary="A parallel group has one member.",
        why="A group says that several steps run side by side; with one it says nothing, and most "
        "likely the others have another name for it.",
        check=_lonely_groups,
        bad=_example("""\
  - id: drain
    command: noop
    parallel_group: prepare
"""),
        good=_SOUND,
    ),
    Rule(
        code="unknown-region",
        level="basic",
        severity="warning",
        summary="A step cancels a region in which no step is.",
        why="Nothing is cancelled, and what should have been stopped goes on.",
        check=_unknown_regions,
        bad=_example("""\
  - id: probe
    command: noop
    region: probing
  - id: patch
    command: noop
    cancels: [probe]
"""),
        good=_example("""\
  - id: probe
    command: noop
    region: probing
  - id: patch
    command: noop
    cancels: [probing]
"""),
    ),
    Rule(
        code="join-never-met",
        level="basic",
        severity="error",
        summary="A join needs more steps than the step waits for.",
        why="It can never be met: the step would be skipped in every run.",
        check=_joins,
        bad=_example("""\
  - id: drain
    command: noop
  - id: patch
    command: noop
    depends_on: [drain]
    join: 2
"""),
        good=_SOUND,
    ),
    Rule(
        code="endless-wait",
        level="standard",
        severity="warning",
        summary="A wait can last for ever.",
        why="If its signal never comes, the execution stays open, and keeps its slots and locks, "
        "until somebody notices.",
        check=_waits,
        bad=_example("""\
  - id: reviewed
    wait_for:
      options:
        - signal: reviewed
"""),
        good=_example("""\
  - id: reviewed
    wait_for:
      options:
        - signal: reviewed
        - after_s: 86400
"""),
    ),
)
