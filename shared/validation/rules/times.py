"""Rules about time: timeouts, retries, and whether they can do what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.commands.spec import Effects
from shared.validation import patches
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.subject import Subject, Use
from shared.workflow.definition import OnLost, Step
from shared.workflow.retry_rule import Retry

_LONG_S: Final = 86_400
_HEAD: Final = "id: back_up\nname: Back up\nsteps:\n"


def _longer_than_workflow(subject: Subject) -> Iterator[Found]:
    limit = subject.template.policies.timeout_s if subject.template is not None else None
    if limit is None:
        return
    for path, step in subject.steps:
        if step.timeout_s > limit and _runs_on_agent(step) and "timeout_s" in step.model_fields_set:
            at = f"{path}/timeout_s"
            yield Found(at, f"the step may take {step.timeout_s:g} s, and the whole workflow only "
                        f"{limit:g} s", f"write at most {limit:g}, or raise policies.timeout_s",
                        patches.replace(at, patches.whole(limit)))  # fmt: skip


def _runs_on_agent(step: Step) -> bool:
    return bool(step.command or step.workflow)


def _estimate(subject: Subject) -> Iterator[Found]:
    template = subject.template
    if template is None or template.estimated_duration_s is None:
        return
    limit = template.policies.timeout_s
    if limit is not None and template.estimated_duration_s >= limit:
        yield Found("policies/timeout_s", f"the workflow takes about "
                    f"{template.estimated_duration_s:g} s by its own estimate, and is stopped "
                    f"after {limit:g} s", "raise it, or correct `estimated_duration_s`",
                    patches.replace("policies/timeout_s",
                                    patches.whole(template.estimated_duration_s * 2))
                    )  # fmt: skip


def _waits(subject: Subject) -> Iterator[Found]:
    """Commands that are told to take longer than their step may."""
    for use in subject.uses:
        found = _own_time(use)
        if found is None:
            continue
        name, seconds = found
        if seconds >= use.timeout_s:
            yield Found(
                f"{use.path}/parameters/{name}",
                f"`{use.command}` takes up to {seconds:g} s here, and is stopped after "
                f"{use.timeout_s:g} s",
                f"raise `timeout_s` above {seconds:g}",
                patches.add(use.path, "timeout_s", patches.whole(_above(seconds))),
            )


def _own_time(use: Use) -> tuple[str, float] | None:
    """A time in seconds that is a parameter of a command."""
    names = {"wait": "seconds", "http": "timeout_s"}.get(use.command, "deadline_s")
    value = use.parameters.get(names)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return (names, float(value)) if known and value is not None else None


def _above(seconds: float) -> float:
    return min(seconds + 60, 30 * 86_400)


def _retries(subject: Subject) -> Iterator[tuple[str, Retry, Step]]:
    for path, step in subject.steps:
        yield f"{path}/retry", step.retry, step
        if step.rollback is not None:
            yield f"{path}/rollback/retry", step.rollback.retry, step


def _idle_retries(subject: Subject) -> Iterator[Found]:
    for path, retry, _ in _retries(subject):
        written = retry.model_fields_set - {"max_attempts"}
        if retry.max_attempts == 1 and written:
            yield Found(path, f"{', '.join(sorted(written))} says nothing: there is one attempt "
                        "only", "give `max_attempts` of 2 or more, or remove `retry`",
                        patches.remove(path))  # fmt: skip
        elif retry.delay_s > retry.max_delay_s:
            yield Found(path, f"the first delay ({retry.delay_s:g} s) is longer than `max_delay_s` "
                        f"({retry.max_delay_s:g} s)", "raise `max_delay_s`",
                        patches.add(path, "max_delay_s", patches.whole(retry.delay_s)))  # fmt: skip


def _total_delay(retry: Retry) -> float:
    delays = [retry.delay_s]
    for _ in range(retry.max_attempts - 2):
        delays.append(min(delays[-1] * retry.factor, retry.max_delay_s))
    return sum(delays) if retry.max_attempts > 1 else 0.0


def _long_retries(subject: Subject) -> Iterator[Found]:
    template = subject.template
    limit = template.policies.timeout_s if template is not None else None
    for path, retry, _ in _retries(subject):
        total = _total_delay(retry)
        if limit is not None and total >= limit:
            yield Found(path, f"the delays alone take {total:g} s, and the whole workflow may take "
                        f"{limit:g} s", "fewer attempts, or shorter delays")  # fmt: skip
        elif total > _LONG_S:
            yield Found(path, f"the delays alone take {total / 3_600:.0f} hours",
                        "fewer attempts, or a smaller `max_delay_s`")  # fmt: skip


def _may_change(subject: Subject, use: Use) -> bool:
    if use.command not in subject.registry:
        return False
    spec = subject.registry[use.command]
    return spec.effects_of(use.parameters) is not Effects.NONE and not spec.idempotent


def _unsafe_retries(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        step = use.step
        if use.role != "step" or step.idempotent or not _may_change(subject, use):
            continue
        if step.retry.max_attempts > 1:
            yield Found(
                f"{use.path}/retry",
                f"`{step.id}` changes something, is tried up to {step.retry.max_attempts} times, "
                "and is not said to be idempotent",
                "see that doing it twice does no harm and say `idempotent: true`; or try once",
            )


def _unsafe_reruns(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        step = use.step
        lost = step.on_lost is OnLost.RERUN and not step.idempotent
        if use.role == "step" and lost and _may_change(subject, use):
            at = f"{use.path}/on_lost"
            yield Found(at, f"`{step.id}` changes something and is run again when its agent is "
                        "lost, although it may have done its work",
                        "say `idempotent: true` if that does no harm, or `on_lost: ask`",
                        patches.replace(at, "ask"))  # fmt: skip


def _short(subject: Subject) -> Iterator[Found]:
    for path, step in subject.steps:
        rules = ((f"{path}/approval", step.approval),)
        for at, rule in rules:
            limit = subject.template.policies.timeout_s if subject.template else None
            expires = rule.expires_after_s if rule is not None else None
            if expires is not None and limit is not None and expires >= limit:
                yield Found(f"{at}/expires_after_s", f"people have {expires:g} s to answer, and "
                            f"the whole workflow may take {limit:g} s",
                            "give less time to answer, or raise policies.timeout_s")  # fmt: skip
            remind = rule.remind_every_s if rule is not None else None
            if remind is not None and expires is not None and remind >= expires:
                yield Found(f"{at}/remind_every_s", f"nobody is reminded: the gate expires after "
                            f"{expires:g} s", f"remind more often than every {expires:g} s",
                            patches.replace(f"{at}/remind_every_s", patches.whole(expires / 2))
                            )  # fmt: skip


def _rule(code: str, summary: str, why: str, check: Check, bad: str, good: str) -> Rule:
    return Rule(
        code=code,
        level="standard",
        severity="warning",
        summary=summary,
        why=why,
        check=check,
        bad=Example(bad if bad.startswith("id:") else _HEAD + bad),
        good=Example(good if good.startswith("id:") else _HEAD + good),
    )


_TIMEOUT: Final = """\
id: back_up
name: Back up
steps:
  - id: copy
    command: noop
    timeout_s: {step}
policies: {{timeout_s: 3600}}
"""
_WAIT: Final = """\
  - id: settle
    command: wait
    parameters: {{seconds: 600}}
    timeout_s: {step}
"""
_RETRY: Final = "  - id: copy\n    command: noop\n    retry: {retry}\n"
_COPY: Final = """\
  - id: copy
    command: shell
    parameters: {{argv: [rsync, -a, /srv/data/, "backup:/srv/data/"]}}
    irreversible: the copy before is kept on the backup host
    {more}
"""
_GATE: Final = """\
id: back_up
name: Back up
steps:
  - id: copy
    command: noop
    approval: {{expires_after_s: {expires}, remind_every_s: 600}}
policies: {{timeout_s: 7200}}
"""

RULES: Final = (
    _rule(
        "step-outlasts-workflow",
        "A step may take longer than the whole workflow.",
        "Its own timeout never applies: the workflow is stopped first, with everything else.",
        _longer_than_workflow,
        _TIMEOUT.format(step=7_200),
        _TIMEOUT.format(step=1_800),
    ),
    _rule(
        "estimate-outlasts-workflow",
        "The workflow's timeout is shorter than its own estimate.",
        "A run that goes as expected would be stopped before its end.",
        _estimate,
        "id: back_up\nname: Back up\nestimated_duration_s: 3600\n"
        "steps:\n  - {id: copy, command: noop}\npolicies: {timeout_s: 1800}\n",
        "id: back_up\nname: Back up\nestimated_duration_s: 600\n"
        "steps:\n  - {id: copy, command: noop}\npolicies: {timeout_s: 1800}\n",
    ),
    _rule(
        "command-outlasts-step",
        "A command is told to take longer than its step may.",
        "The step is stopped before the command can end by itself, so it never succeeds, or never "
        "tells why it failed.",
        _waits,
        _WAIT.format(step=300),
        _WAIT.format(step=900),
    ),
    _rule(
        "idle-retry",
        "Retries are set in a way that says nothing.",
        "Somebody meant the step to be tried again, and it is not, or not so.",
        _idle_retries,
        _RETRY.format(retry="{delay_s: 10}"),
        _RETRY.format(retry="{max_attempts: 3, delay_s: 10}"),
    ),
    _rule(
        "long-retry",
        "The delays of a retry take longer than is sensible.",
        "The execution would look alive for hours, and be waiting all the while.",
        _long_retries,
        _RETRY.format(retry="{max_attempts: 60, delay_s: 3600, max_delay_s: 86400}"),
        _RETRY.format(retry="{max_attempts: 6, delay_s: 30}"),
    ),
    _rule(
        "unsafe-retry",
        "A step that changes something is tried again, and is not idempotent.",
        "A failed attempt may have done half of its work, or all of it and lost the answer. The "
        "next one does it again.",
        _unsafe_retries,
        _COPY.format(more="retry: {max_attempts: 3}"),
        _COPY.format(more="retry: {max_attempts: 3}\n    idempotent: true"),
    ),
    _rule(
        "unsafe-rerun",
        "A step that changes something is run again when its agent is lost.",
        "The agent may have done the work before it was lost; then it is done twice.",
        _unsafe_reruns,
        _COPY.format(more="on_lost: rerun"),
        _COPY.format(more="on_lost: ask"),
    ),
    _rule(
        "gate-times",
        "The times of a gate do not fit together.",
        "People are told that they have time to answer, and the workflow is stopped before; or a "
        "reminder never comes.",
        _short,
        _GATE.format(expires=86_400),
        _GATE.format(expires=3_600),
    ),
)
