"""Causes that hold the whole execution: its end, a pause, a stop, gates."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.api.explain import Awaited, Finding, Severity
from shared.explain.picture import Picture
from shared.explain.wording import count, names, span
from shared.workflow.gate_state import WORKFLOW_GATE, GateState
from shared.workflow.gates import ESCALATE, EXPIRE, open_gates
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.validating import is_awaited

VALIDATED_WITHIN_MS = 10_000
"""Who looks at a run has answered by then, unless nobody does."""
_SUCCEEDED = (ExecutionStatus.COMPLETED, ExecutionStatus.COMPLETED_WITH_ERRORS)
_WELL = (*_SUCCEEDED, ExecutionStatus.ROLLED_BACK)


def over(picture: Picture) -> Iterator[Finding]:
    """It has ended, well or not."""
    state = picture.state
    if state is None or not state.ended:
        return
    failed = state.status not in _WELL
    step = _culprit(state)
    action = f"hv logs {state.execution_id}" + (f" --step {step}" if step else "")
    yield Finding(
        cause="failed" if failed else "ended",
        severity=Severity.STUCK if failed else Severity.RUNS,
        says=_end(state, step),
        step=step,
        since_ms=state.ended_at_ms,
        normally=_how_it_goes(picture),
        action=action if failed else f"hv show {state.execution_id}",
    )


def failing(picture: Picture) -> Iterator[Finding]:
    """A step failed for good; what runs may still end, and handlers run."""
    state = picture.state
    if state is None or state.over or state.stop is None or state.stop.kind != "failure":
        return
    step, failure = state.stop.step or "", state.stop.failure
    said = f": {failure.code}: {failure.message}" if failure is not None else ""
    yield Finding(
        cause="failing",
        severity=Severity.STUCK,
        says=f"It is failing{f' because of step {step}' if step else ''}{said}",
        step=step,
        since_ms=state.steps[step].ended_at_ms if step in state.steps else state.updated_at_ms,
        normally="What runs may finish, `on_failure` and `finally` steps run, then it ends.",
        action=f"hv logs {state.execution_id}" + (f" --step {step}" if step else ""),
    )


def paused(picture: Picture) -> Iterator[Finding]:
    """Somebody paused it."""
    state = picture.state
    if state is not None and state.status is ExecutionStatus.PAUSED:
        yield Finding(
            cause="paused",
            severity=Severity.NEEDS_PEOPLE,
            says=f"It is paused{_by_whom(state)}: nothing new starts, and what runs may finish.",
            waits_for=Awaited(kind="person", name="resume", message="resume_requested"),
            since_ms=state.updated_at_ms,
            normally="It stays so until somebody resumes or cancels it; "
            f"`hv provenance {state.execution_id}` says who paused it.",
            action=f"hv resume {state.execution_id}",
        )


def _by_whom(state: ExecutionState) -> str:
    pause = state.pause
    if pause is None:
        return ""
    if pause.step:
        return f" by the breakpoint before step {pause.step}"
    return f" by {pause.by.id}" + (f" ({pause.reason})" if pause.reason else "")


def cancelling(picture: Picture) -> Iterator[Finding]:
    """It is being stopped."""
    state = picture.state
    if state is None or state.status is not ExecutionStatus.CANCELLING or state.stop is None:
        return
    timed_out = state.stop.kind == "timeout"
    yield Finding(
        cause="timed_out" if timed_out else "cancelling",
        severity=Severity.WAITS,
        says=f"It is being stopped: {state.stop.reason or 'by ' + state.stop.by.id}",
        since_ms=state.updated_at_ms,
        normally="Agents prove that what ran is gone, or give up after 60 seconds; `finally` "
        "steps run, then it ends.",
        action=f"hv watch {state.execution_id}",
    )


def validation(picture: Picture) -> Iterator[Finding]:
    """Somebody has to look at it before it begins."""
    state = picture.state
    if state is None or state.over or not is_awaited(state):
        return
    level = "standard"
    if picture.program is not None:
        level = picture.program.template.policies.validation.level
    late = picture.now_ms - state.created_at_ms > VALIDATED_WITHIN_MS
    waits = span(picture.now_ms - state.created_at_ms)
    yield Finding(
        cause="validating",
        severity=Severity.STUCK if late else Severity.WAITS,
        says=f"It is looked at (level {level}) before anything of it starts"
        + (f"; nobody has answered for {waits}: does a validator run?" if late else ""),
        waits_for=Awaited(kind="validation", name=level, message="run_validated"),
        since_ms=state.created_at_ms,
        normally="A gateway looks at it within a moment; above `standard` it asks the validator, "
        "and after five minutes without one the run is refused.",
        action="hv status" if late else f"hv show {state.execution_id}",
    )


def approvals(picture: Picture) -> Iterator[Finding]:
    """Gates that wait for people, and who may answer."""
    state = picture.state
    if state is None or state.over:
        return
    for name, gate in open_gates(state):
        yield _gate(picture, state, name, gate)


def _gate(picture: Picture, state: ExecutionState, name: str, gate: GateState) -> Finding:
    votes = sum(vote.approved for vote in gate.votes)
    missing = max(1, gate.rule.quorum - votes)
    before = "before anything starts" if name == WORKFLOW_GATE else f"before {name}"
    expiry, escalation = (state.timers.get(f"{what}-{name}") for what in (EXPIRE, ESCALATE))
    then = "Nothing happens until somebody answers."
    if expiry is not None:
        then = f"Without an answer in time it is {_expired(gate)}; it is never approved by itself."
    elif escalation is not None:
        then = "Without an answer in time others are asked, too."
    return Finding(
        cause="approval",
        severity=Severity.NEEDS_PEOPLE,
        says=f"It waits for {count(missing, 'approval')} {before}, of {_who(gate)}"
        + (f" ({votes} given)" if votes else ""),
        step="" if name == WORKFLOW_GATE else name,
        waits_for=Awaited(kind="approval", name=name, message="approval_answered"),
        since_ms=gate.requested_at_ms,
        due_ms=expiry.due_ms if expiry is not None else 0,
        usual=picture.past.usual.get(f"gate:{name}"),
        normally=then,
        action=f"hv approvals show {state.execution_id}",
    )


def _expired(gate: GateState) -> str:
    return "escalated" if gate.rule.on_expiry == "escalate" and not gate.escalated else "rejected"


def _who(gate: GateState) -> str:
    wanted = [
        *(f"role {role}" for approvers in gate.approvers for role in approvers.roles),
        *(f"group {group}" for approvers in gate.approvers for group in approvers.groups),
        *(user for approvers in gate.approvers for user in approvers.users),
    ]
    who = names(wanted, "anybody who may approve")
    return who if gate.rule.allow_self_approval else f"{who}, but not of who asked for it"


def _culprit(state: ExecutionState) -> str:
    if state.stop is not None and state.stop.step:
        return state.stop.step
    failed = (
        n for n, s in state.steps.items() if s.status is StepStatus.FAILED and not s.tolerated
    )
    return next(failed, "")


def _end(state: ExecutionState, step: str) -> str:
    if state.status in _SUCCEEDED:
        return f"It has ended: {state.status.value}."
    if state.status is ExecutionStatus.ROLLED_BACK:
        return "It was rolled back."
    if state.status is ExecutionStatus.CANCELLED:
        return f"It was cancelled: {state.stop.reason if state.stop else ''}"
    failure = state.failure
    said = f": {failure.code}: {failure.message}" if failure is not None else ""
    where = f" in step {step}{_attempts(state.steps[step])}" if step in state.steps else ""
    return f"It failed{where}{said}"


def _attempts(step: StepState) -> str:
    tried = f" after {count(len(step.attempts), 'attempt')}" if len(step.attempts) > 1 else ""
    return f"{tried} on {step.agent}" if step.agent else tried


def _how_it_goes(picture: Picture) -> str:
    past = picture.past
    return f"{past.completed} of the last {past.runs} runs completed." if past.runs else ""
