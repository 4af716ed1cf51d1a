"""Executions that have ended, in short: how a state becomes an item of the record.

What must not be learned stays out: parameters that the template calls secret (`format: password`)
or that are named like one, whatever is sealed or has the form of a secret, values that are long or
no scalars.
What a re-run kept from an earlier run was counted there and is left out, too. What validation
refused is no run: nothing of it has begun, and it tells nothing of how its workflow does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from shared.learning.records import (
    ATTEMPTS_LIMIT,
    MESSAGE_LIMIT,
    VALUE_LIMIT,
    RollbackRecord,
    RunApproval,
    RunAttempt,
    RunRecord,
    RunStep,
    Scalar,
)
from shared.learning.secret_filter import MASK, without_secrets
from shared.validation.secret_shapes import may_name_secret
from shared.workflow.binding import base
from shared.workflow.definition import Template
from shared.workflow.events import AnyEvent
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.message_base import AttemptRecord, Failure
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.undo_events import ExecutionRollbackRequested, ExecutionRollingBack
from shared.workflow.validating import REFUSED

RunStatus = Literal["completed", "completed_with_errors", "failed", "cancelled"]
RollbackStatus = Literal["rolled_back", "rollback_incomplete", "rollback_failed"]

ENDS: Final[tuple[RunStatus, ...]] = ("completed", "completed_with_errors", "failed", "cancelled")
ROLLBACK_ENDS: Final[tuple[RollbackStatus, ...]] = (
    "rolled_back",
    "rollback_incomplete",
    "rollback_failed",
)
MESSAGES_LIMIT: Final = 60_000
"""Characters of all failures' messages of a run together; later ones are left out."""
STEPS_LIMIT: Final = 1_000
REASON_LIMIT: Final = 100
MESSAGES: Final = 50
"""Different messages of a run that are kept; of others the code says enough."""

_SEALED: Final = re.compile(r"sealed:v\d+:[A-Za-z0-9_=-]+")
_COUNTED: Final = ("completed", "failed", "lost")


@dataclass(frozen=True, slots=True)
class Ending:
    """As what, and when, an execution ended; before it was rolled back, if it was."""

    status: RunStatus
    at_ms: int


def ending_of(state: ExecutionState, history: Iterable[HistoryEntry] = ()) -> Ending | None:
    """How an execution ended, `None` if it has not.

    Of one that was rolled back only the history knows; without it there is no ending.
    """
    if state.status.value in ENDS:
        return Ending(state.status.value, state.ended_at_ms)
    if not state.over:
        return None
    for at_ms, event in _events(history):
        _, _, status = event.type.partition("execution.")
        if status in ENDS:
            return Ending(status, at_ms)
    return None


def is_refused(state: ExecutionState) -> bool:
    """True for what was refused by validation before it began."""
    failure = state.failure
    return failure is not None and failure.code == REFUSED and not _has_begun(state)


def _has_begun(state: ExecutionState) -> bool:
    return any(step.attempts or step.started_at_ms for step in state.steps.values())


def run_of(state: ExecutionState, template: Template | None, ending: Ending) -> RunRecord:
    """The record of an execution; without its template nothing of its parameters is kept."""
    commands = {s.id: s.command for s in template.every_step} if template is not None else {}
    failure = state.failure or Failure(code="", message="")
    return RunRecord(
        id=state.execution_id,
        at_ms=ending.at_ms,
        template_id=state.template_id,
        template_version=state.template_version,
        category=state.category,
        status=ending.status,
        by=state.requested_by.id,
        cause=cause_of(state),
        created_at_ms=state.created_at_ms,
        started_at_ms=state.started_at_ms,
        parameters=plain_parameters(state, template),
        steps=tuple(_steps(state, commands))[:STEPS_LIMIT],
        attempts=_attempts(state, commands),
        approvals=tuple(_approvals(state))[:ATTEMPTS_LIMIT],
        failed_step=_failed_step(state),
        failure_code=failure.code,
        failure_message=masked(failure.message[: 2 * MESSAGE_LIMIT])[:MESSAGE_LIMIT],
        rollback_of=_rolled_back(state),
        resumed_from=state.rerun.execution_id if state.rerun is not None else "",
    )


def rollbacks_of(
    state: ExecutionState, history: Iterable[HistoryEntry]
) -> Iterator[RollbackRecord]:
    """The rollbacks of an execution that are over, oldest first, from its history."""
    asked: dict[int, tuple[int, ExecutionRollbackRequested | ExecutionRollingBack]] = {}
    for at_ms, event in _events(history):
        if isinstance(event, ExecutionRollbackRequested | ExecutionRollingBack):
            asked.setdefault(event.number or 1, (at_ms, event))
        _, _, status = event.type.partition("execution.")
        if status not in ROLLBACK_ENDS:
            continue
        over = cast(Any, event)
        began_ms, order = asked.get(over.number, (0, None))
        yield RollbackRecord(
            id=f"{state.execution_id}.{over.number}",
            at_ms=at_ms,
            execution_id=state.execution_id,
            number=over.number,
            template_id=state.template_id,
            template_version=state.template_version,
            category=state.category,
            status=status,
            strategy=order.strategy if order is not None else "",
            by=order.by.id if order is not None else "",
            asked_at_ms=began_ms,
            undone=len(over.undone),
            left=len(over.left),
        )


def cause_of(state: ExecutionState) -> str:
    """What started it, in one word."""
    if _rolled_back(state):
        return "rollback"
    if state.parent is not None:
        return "execution"
    if state.rerun is not None:
        return "rerun"
    kind = state.requested_by.kind
    return "trigger" if kind == "alert" or state.trigger.kind == "monitoring_alert" else kind


def plain_parameters(state: ExecutionState, template: Template | None) -> dict[str, Scalar]:
    """The parameters that may be learned from; none where the template is not known."""
    if template is None:
        return {}
    return {
        name: value
        for name, value in state.parameters.items()
        if not is_secret(name, template) and _is_plain(value)
    }


def is_secret(name: str, template: Template) -> bool:
    """True for a parameter that the template calls secret, or that has the name of one."""
    parameter = template.parameters.get(name)
    return parameter is None or parameter.format == "password" or may_name_secret(name)


def masked(text: str) -> str:
    """The text without anything that is sealed or has the form of a secret."""
    return without_secrets(_SEALED.sub(MASK, text))


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= VALUE_LIMIT and masked(value) == value
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool | int)


def _events(history: Iterable[HistoryEntry]) -> Iterator[tuple[int, AnyEvent]]:
    for entry in history:
        for event in entry.events:
            yield entry.at_ms, event


def _rolled_back(state: ExecutionState) -> str:
    """The execution that this one undoes; `""` for one that was started for its own sake."""
    return state.labels.get("rollback_of", "") if state.category == "rollback" else ""


def _steps(state: ExecutionState, commands: Mapping[str, str]) -> Iterator[RunStep]:
    attempts: dict[str, int] = {}
    for key, step in state.steps.items():
        name = base(key)
        attempts[name] = attempts.get(name, 0) + len(step.attempts)
    for key, step in state.steps.items():
        if step.instance is None and not step.kept_from:
            yield RunStep(
                step=key,
                command=commands.get(key, ""),
                status=step.status.value,
                reason=masked(step.reason[: 2 * REASON_LIMIT])[:REASON_LIMIT],
                instances=step.instances,
                attempts=attempts[key],
            )


def _attempts(state: ExecutionState, commands: Mapping[str, str]) -> tuple[RunAttempt, ...]:
    """Those that are kept, in the order of their ends."""
    found = [
        (key, attempt)
        for key, step in state.steps.items()
        if not step.kept_from
        for attempt in step.attempts
        if attempt.outcome in _COUNTED
    ]
    found.sort(key=lambda one: one[1].outcome == "completed")
    kept, room = [], MESSAGES_LIMIT
    messages: dict[str, str] = {}
    for key, attempt in found[:ATTEMPTS_LIMIT]:
        made = _attempt(key, attempt, commands, messages, room)
        room -= len(made.message)
        kept.append(made)
    return tuple(sorted(kept, key=lambda one: (one.ended_at_ms, one.step, one.instance)))


def _attempt(
    key: str,
    attempt: AttemptRecord,
    commands: Mapping[str, str],
    messages: dict[str, str],
    room: int,
) -> RunAttempt:
    """`messages` are those that were masked before, `room` is for how many characters."""
    failure = attempt.failure or Failure(code="", message="")
    name = base(key)
    return RunAttempt(
        step=name,
        instance=key[len(name) + 1 : -1],
        attempt=attempt.number,
        command=commands.get(name, ""),
        agent=attempt.agent,
        started_at_ms=attempt.started_at_ms,
        ended_at_ms=attempt.finished_at_ms,
        outcome=cast(Literal["completed", "failed", "lost"], attempt.outcome),
        code=failure.code,
        message=_told(failure.message, messages)[:room],
        retryable=failure.retryable,
    )


def _told(message: str, messages: dict[str, str]) -> str:
    if message not in messages:
        if len(messages) >= MESSAGES:
            return ""
        messages[message] = masked(message[: 2 * MESSAGE_LIMIT])[:MESSAGE_LIMIT]
    return messages[message]


def _approvals(state: ExecutionState) -> Iterator[RunApproval]:
    for name, gate in state.gates.items():
        if gate.status is not ApprovalStatus.NONE and not gate.kept_from:
            yield RunApproval(
                gate=base(name),
                status=cast(Any, gate.status.value),
                asked_at_ms=gate.requested_at_ms,
                closed_at_ms=gate.closed_at_ms,
            )


def _failed_step(state: ExecutionState) -> str:
    """The step that made it fail, or the first that failed and was not tolerated."""
    if state.stop is not None and state.stop.step:
        return base(state.stop.step)
    failed: Sequence[tuple[str, StepState]] = [
        (key, step)
        for key, step in state.steps.items()
        if step.status is StepStatus.FAILED and not step.tolerated and not step.kept_from
    ]
    return base(min(failed, key=lambda one: (one[1].ended_at_ms, one[0]))[0]) if failed else ""
