"""What a concurrency key answers, and what becomes of who asked."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.binding import base
from shared.workflow.breakpoints import pauses_before
from shared.workflow.failing import fail_for_good
from shared.workflow.machines.step import StepStatus
from shared.workflow.scheduling import may_start, schedule_attempt
from shared.workflow.settling import start_ready
from shared.workflow.slots import TIMER, WHOLE, release
from shared.workflow.stopping import stop_steps
from shared.workflow.turn import Turn


def slot_granted(turn: Turn, message: msg.SlotGranted) -> None:
    """It may begin. What has ended meanwhile, or gave up, gives the slot back."""
    slot = turn.state.slots.get(message.slot)
    if slot is None:
        turn.emit(ev.SlotReleased(slot=message.slot, key=message.key))
    elif not slot.granted:
        turn.clear_timer(f"{TIMER}-{message.slot}")
        turn.emit(ev.SlotTaken(slot=message.slot, key=message.key))
        _begin(turn, message.slot)


def slot_refused(turn: Turn, message: msg.SlotRefused) -> None:
    """All slots are taken, and it does not want to wait."""
    slot = turn.state.slots.get(message.slot)
    if slot is not None and not slot.granted:
        turn.clear_timer(f"{TIMER}-{message.slot}")
        denied = ev.SlotDenied(slot=message.slot, key=message.key, reason=message.reason)
        turn.emit(denied)
        _fail(turn, message.slot, "concurrency_refused", message.reason)


def step_revoked(turn: Turn, step_id: str, reason: str) -> None:
    """Another one takes the place of a step, which is stopped."""
    if turn.step(step_id).status is not StepStatus.STOPPING:
        stop_steps(turn, (step_id,), reason)


def waited_too_long(turn: Turn, name: str) -> None:
    """No slot came in the time that it would wait."""
    key = turn.state.slots[name].key
    release(turn, name)
    _fail(turn, name, "concurrency_timeout", f"no slot of {key!r} came in time")


def _begin(turn: Turn, name: str) -> None:
    """During a pause this waits for its end."""
    if name == WHOLE:
        start_ready(turn, turn.program.graph.order)
        return
    if base(name) == name:  # what else keeps it back may have changed: a lock, a milestone
        start_ready(turn, (name,))
        return
    pending = turn.step(name).status is StepStatus.PENDING
    if pending and may_start(turn, name) and not pauses_before(turn, name):
        schedule_attempt(turn, name, attempt=1)


def _fail(turn: Turn, name: str, code: str, reason: str) -> None:
    failure = msg.Failure(code=code, message=reason, retryable=False)
    if name != WHOLE:
        fail_for_good(turn, name, failure)
    elif turn.state.stop is None:
        turn.emit(ev.ExecutionFailing(step=None, failure=failure))
