"""Rules about concurrency keys and locks: who holds a slot never waits for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.definition import Step
from shared.workflow.flow import Concurrency

_INSTANCE: Final = re.compile(r"\b(item|index|key|agent)\b")


def _plain(key: str) -> str:
    """A key as it is written, blanks aside."""
    return "".join(key.split())


def _limited(subject: Subject) -> list[tuple[str, Step, Concurrency]]:
    return [(p, s, s.concurrency) for p, s in subject.steps if s.concurrency is not None]


def _held(subject: Subject) -> Iterator[Found]:
    """Steps that wait for a slot that their own execution holds, or sub-workflows that do."""
    whole = subject.template.policies.concurrency if subject.template is not None else None
    if whole is None:
        return
    for path, step, rule in _limited(subject):
        if _plain(rule.key) == _plain(whole.key) and min(rule.limit, whole.limit) == 1:
            yield Found(
                f"{path}/concurrency",
                f"`{step.id}` waits for a slot of `{rule.key}`, which the execution itself holds",
                "use another key, or limit one of the two",
            )
    for path, step in subject.steps:
        key = (step.workflow.template, step.workflow.version) if step.workflow else None
        called = subject.called.get(key) if key is not None else None
        inner = called.policies.concurrency if called is not None else None
        if inner is not None and _plain(inner.key) == _plain(whole.key) and inner.limit == 1:
            yield Found(f"{path}/workflow", f"`{step.id}` calls a workflow that waits for a slot "
                        f"of `{inner.key}`, which this one holds", "use another key")  # fmt: skip


def _colliding(subject: Subject) -> Iterator[Found]:
    """Steps side by side of which one refuses or replaces the other."""
    for (_, first, a), (path, second, b) in combinations(_limited(subject), 2):
        if (
            _plain(a.key) != _plain(b.key)
            or b.limit > 1
            or not _side_by_side(subject, first, second)
        ):
            continue
        hard = next((r.on_conflict for r in (a, b) if r.on_conflict != "queue"), None)
        if hard is not None:
            done = "refuses" if hard == "reject" else "cancels"
            yield Found(f"{path}/concurrency", f"`{second.id}` and `{first.id}` may run at the "
                        f"same time and have the same key: one {done} the other",
                        "let them queue, or let one wait for the other")  # fmt: skip
    for path, step, rule in _limited(subject):
        many = step.foreach is not None or step.target.is_fleet
        same = not _INSTANCE.search(rule.key) and rule.on_conflict != "queue"
        serial = step.foreach is not None and step.foreach.concurrency <= rule.limit
        if many and same and not serial:
            yield Found(f"{path}/concurrency", f"all instances of `{step.id}` have the same key, "
                        f"and `{rule.on_conflict}` is for them, too",
                        "put `item` or `agent.name` into the key, or let them queue")  # fmt: skip


def _side_by_side(subject: Subject, first: Step, second: Step) -> bool:
    if subject.program is None:
        return False
    ancestors = subject.program.graph.ancestors
    return first.id not in ancestors[second.id] and second.id not in ancestors[first.id]


def _different_limits(subject: Subject) -> Iterator[Found]:
    seen: dict[str, tuple[str, int]] = {}
    for path, step, rule in _limited(subject):
        name, limit = seen.setdefault(_plain(rule.key), (step.id, rule.limit))
        if limit != rule.limit:
            yield Found(f"{path}/concurrency/limit", f"`{step.id}` allows {rule.limit} at a time, "
                        f"and `{name}` {limit} of the same key", "use one limit, or two keys"
                        )  # fmt: skip


def _lonely_locks(subject: Subject) -> Iterator[Found]:
    users: dict[str, list[tuple[str, Step]]] = {}
    for path, step in subject.steps:
        if step.lock is not None:
            users.setdefault(step.lock, []).append((path, step))
    for lock, steps in users.items():
        path, step = steps[0]
        if len(steps) == 1:
            yield Found(f"{path}/lock", f"only `{step.id}` has the lock `{lock}`: it keeps nobody "
                        "from anything", "give it to the other step, too, or remove it (a limit "
                        "across executions is `concurrency`)")  # fmt: skip


_HEAD: Final = "id: deploy_site\nname: Deploy a site\nsteps:\n"
_SOUND: Final = Example(f"""\
{_HEAD}\
  - id: migrate
    command: noop
    concurrency: {{key: database}}
    lock: database
  - id: reindex
    command: noop
    concurrency: {{key: database}}
    lock: database
""")


def _bad(text: str) -> Example:
    return Example(_HEAD + text)


RULES: Final = (
    Rule(
        code="slot-held-by-itself",
        level="strict",
        severity="error",
        summary="A step waits for a slot that its own execution holds.",
        why="The execution gives its slot back when it ends, and it cannot end before the step has "
        "had one.",
        check=_held,
        bad=_bad("""\
  - id: migrate
    command: noop
    concurrency: {key: site}
policies:
  concurrency: {key: site}
"""),
        good=_SOUND,
    ),
    Rule(
        code="slot-collision",
        level="strict",
        severity="error",
        summary="Steps of one execution take a slot from each other.",
        why="They may run at the same time, and one of them then refuses or cancels the other.",
        check=_colliding,
        bad=_bad("""\
  - id: migrate
    command: noop
    concurrency: {key: database, on_conflict: reject}
  - id: reindex
    command: noop
    concurrency: {key: database, on_conflict: reject}
"""),
        good=_SOUND,
    ),
    Rule(
        code="slot-limits-differ",
        level="strict",
        severity="warning",
        summary="The same key has different limits.",
        why="Which one holds depends on who waits first.",
        check=_different_limits,
        bad=_bad("""\
  - id: migrate
    command: noop
    concurrency: {key: database}
  - id: reindex
    command: noop
    concurrency: {key: database, limit: 4}
"""),
        good=_SOUND,
    ),
    Rule(
        code="lonely-lock",
        level="standard",
        severity="warning",
        summary="A lock is used by one step only.",
        why="A lock keeps steps of one execution from running side by side; with one step it says "
        "nothing, and most likely the other step has another name for it.",
        check=_lonely_locks,
        bad=_bad("  - id: migrate\n    command: noop\n    lock: database\n"),
        good=_SOUND,
    ),
)
