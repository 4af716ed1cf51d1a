"""Gates: nothing behind one runs before exactly that was approved.

The law:

* A gate is known by its name. Whoever holds something back asks (`ask`), and goes on when it is
  granted: the workflow before it starts, a step before its attempts, a strategy between batches.
* What is granted is a subject (`approval_subject`), by its hash. Before every attempt the hash is
  made anew; if it differs the approval is void, and a new round is asked for what it is now.
* An execution that is coming to an end asks nobody any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.workflow import events as ev
from shared.workflow.approval_rule import Approval
from shared.workflow.approval_subject import known_parameters, subject_of
from shared.workflow.binding import base
from shared.workflow.failing import stops
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import SIMPLE, WORKFLOW_GATE, GateState
from shared.workflow.kept_approvals import keep_approval
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Actor
from shared.workflow.risk_verdict import asked_of
from shared.workflow.state import ExecutionState
from shared.workflow.trusted import renewed
from shared.workflow.turn import Turn

REMIND: Final = "remind"
ESCALATE: Final = "escalate"
EXPIRE: Final = "expire"
TIMERS: Final = (REMIND, ESCALATE, EXPIRE)
"""What a gate's timers are for; each is named `<what>-<gate>`."""

_S = ApprovalStatus
_BEFORE_AN_ATTEMPT: Final = (StepStatus.PENDING, StepStatus.RETRYING)


def workflow_rule(turn: Turn) -> Approval | None:
    """What must be approved before anything starts, if anything: as the template says, and as the
    risk of this run does."""
    policies = turn.program.template.policies
    own = policies.approval or (SIMPLE if policies.approval_required else None)
    return asked_of(own, turn.state.verdict)


def ask(
    turn: Turn, name: str, rule: Approval, step: str = "", targets: tuple[str, ...] = ()
) -> None:
    """Ask for approval: a first round, or one after a round that was voided."""
    before = gate_of(turn.state, name)
    asked = renewed(
        GateState(), {"round": before.round + 1, "step": step, "targets": targets, "rule": rule}
    )
    digest = subject_of(turn.program, turn.state, name, asked).digest
    turn.emit(
        ev.ApprovalRequested(
            gate=name,
            round=asked.round,
            step=step,
            targets=targets,
            rule=rule,
            subject_hash=digest,
        )
    )
    _set_timers(turn, name, rule)
    if rule != SIMPLE:
        tell(turn, name, "info", "waits for approval")


def holds(turn: Turn, step_id: str) -> bool:
    """True while the gate before a step holds its next attempt back; asks if nobody has been asked.

    Raises `ExpressionError` where the step cannot be made ready whatever people answer.
    """
    rule = turn.compiled(step_id).step.approval
    if rule is None or base(step_id) != step_id:
        return False  # an instance of a loop: the loop was asked about as a whole
    known_parameters(turn.compiled(step_id), turn.state)
    return closed(turn, step_id, rule, step_id)


def closed(turn: Turn, name: str, rule: Approval, step: str, targets: tuple[str, ...] = ()) -> bool:
    """True while a gate is not granted for exactly what is behind it now; asks if nobody has been
    asked about that."""
    gate = gate_of(turn.state, name)
    if gate.status in (_S.REQUESTED, _S.GRANTED) and _has_changed(turn, name, gate, targets):
        void(turn, name, "what will run has changed")
        gate = gate_of(turn.state, name)
    if gate.status is _S.NONE and keep_approval(turn, name, rule, targets):
        return False
    if gate.status in (_S.NONE, _S.VOIDED):
        ask(turn, name, rule, step, targets)
        return True
    return gate.status is not _S.GRANTED


def void(turn: Turn, name: str, reason: str, by: Actor | None = None) -> None:
    """Void a round, open or granted. `by` is who changed what runs: they may not approve it."""
    gate = gate_of(turn.state, name)
    turn.emit(ev.ApprovalVoided(gate=name, round=gate.round, reason=reason, by=by))
    clear_timers(turn, name)


def tend(turn: Turn) -> None:
    """Keep every open gate about what will run: void what is not wanted, ask anew what changed."""
    void_unwanted(turn)
    for name, gate in open_gates(turn.state):
        if _has_changed(turn, name, gate, gate.targets):
            void(turn, name, "what will run has changed")
            ask(turn, name, gate.rule, gate.step, gate.targets)


def void_unwanted(turn: Turn) -> None:
    """Ask nobody any more about what will not run."""
    for name, gate in open_gates(turn.state):
        if stops(turn, gate.step):
            void(turn, name, "the execution is coming to its end")
        elif not _is_wanted(turn, gate):
            void(turn, name, f"step {gate.step} does not wait for it any more")


def is_option(turn: Turn, step_id: str) -> bool:
    """True while the gate's answer is one of the things that a step waits for."""
    waits = turn.step(step_id).status is StepStatus.WAITING
    return waits and turn.compiled(step_id).step.wait_for is not None


def open_gates(state: ExecutionState) -> Iterator[tuple[str, GateState]]:
    """The gates that wait for answers, by name; what was asked before gates had names, too."""
    if state.approval is _S.REQUESTED and WORKFLOW_GATE not in state.gates:
        yield WORKFLOW_GATE, gate_of(state, WORKFLOW_GATE)
    for name, gate in state.gates.items():
        if gate.is_open:
            yield name, gate


def is_asking(state: ExecutionState) -> bool:
    """True while anybody is asked."""
    return not state.ended and any(True for _ in open_gates(state))


def clear_timers(turn: Turn, name: str) -> None:
    """A round is closed: nobody is reminded, and nothing expires."""
    for what in TIMERS:
        turn.clear_timer(f"{what}-{name}")


def set_timer(turn: Turn, what: str, name: str, after_s: float | None) -> None:
    """Set one of a gate's timers, if it has that one."""
    if after_s is not None:
        turn.set_timer(f"{what}-{name}", turn.at_ms + round(after_s * 1000))


def tell(turn: Turn, name: str, severity: str, what: str) -> None:
    """Raise a notification about a gate."""
    where = "" if name == WORKFLOW_GATE else f" before {name}"
    message = f"{turn.program.template.name}{where} {what} ({turn.state.execution_id})"
    turn.emit(ev.NotificationRaised(severity=severity, message=message))


def _set_timers(turn: Turn, name: str, rule: Approval) -> None:
    set_timer(turn, REMIND, name, rule.remind_every_s)
    set_timer(turn, ESCALATE, name, rule.escalate_after_s)
    set_timer(turn, EXPIRE, name, rule.expires_after_s)


def _is_wanted(turn: Turn, gate: GateState) -> bool:
    """A gate before a batch is wanted for as long as the step is open, that of a choice for as long
    as it waits."""
    if not gate.step:
        return True
    step = turn.step(gate.step)
    if is_option(turn, gate.step):
        return True
    return step.status in _BEFORE_AN_ATTEMPT or (bool(gate.targets) and not step.ended)


def _has_changed(turn: Turn, name: str, gate: GateState, targets: tuple[str, ...]) -> bool:
    """A round from before subjects had hashes cannot be compared, and is about the request."""
    if not gate.subject_hash:
        return False
    subject = subject_of(turn.program, turn.state, name, gate)
    return gate.targets != targets or subject.digest != gate.subject_hash
