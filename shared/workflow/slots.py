"""Slots: what limits how many executions, or steps of any executions, are under way at a time.

The law:

* A key is an actor of its own (`concurrency_key`). Who needs a slot asks it, waits for the answer,
  and gives the slot back when it has ended, whichever way.
* A step asks after its gate was granted and before its first attempt, and keeps its slot through
  retries. Each instance of a loop asks for itself. An execution asks when it starts.
* A slot that comes when nobody wants it any more is given back at once.
"""

from __future__ import annotations

from typing import Final

from shared.workflow import events as ev
from shared.workflow.binding import bind, instance_values
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Rendered
from shared.workflow.flow import MAX_KEY, Concurrency
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn

WHOLE: Final = "*"
"""The slot of the execution itself. That of a step has the step's name."""

TIMER: Final = "slot"


def lacks_slot(turn: Turn, key: str) -> bool:
    """True while a step waits for its slot; asks for it first. Raises `ExpressionError`."""
    compiled = turn.compiled(key)
    rule, wanted = compiled.step.concurrency, compiled.concurrency
    if rule is None or wanted is None or (compiled.step.foreach is not None and "[" not in key):
        return False
    return _lacks(turn, key, rule, wanted)


def lacks_whole(turn: Turn) -> bool:
    """The same for the execution. Raises `ExpressionError`."""
    rule, wanted = turn.program.template.policies.concurrency, turn.program.concurrency
    return rule is not None and wanted is not None and _lacks(turn, WHOLE, rule, wanted)


def is_waiting(state: ExecutionState) -> bool:
    """True while anything waits for a slot."""
    return any(not slot.granted for slot in state.slots.values())


def waits_to_begin(state: ExecutionState) -> bool:
    """True while nothing may start, for want of the execution's own slot."""
    whole = state.slots.get(WHOLE)
    return whole is not None and not whole.granted and state.stop is None


def release(turn: Turn, name: str) -> None:
    """Give a slot back, or stop waiting for it."""
    slot = turn.state.slots.get(name)
    if slot is not None:
        turn.clear_timer(f"{TIMER}-{name}")
        turn.emit(ev.SlotReleased(slot=name, key=slot.key))


def _lacks(turn: Turn, name: str, rule: Concurrency, wanted: Rendered) -> bool:
    slot = turn.state.slots.get(name)
    if slot is not None:
        return not slot.granted
    key = _rendered(turn, name, rule, wanted)
    turn.emit(ev.SlotAsked(slot=name, key=key, limit=rule.limit, on_conflict=rule.on_conflict))
    if rule.max_wait_s is not None:
        turn.set_timer(f"{TIMER}-{name}", turn.at_ms + round(rule.max_wait_s * 1000))
    return True


def _rendered(turn: Turn, name: str, rule: Concurrency, wanted: Rendered) -> str:
    step = turn.state.steps.get(name)
    local = instance_values(step) if step is not None else {}
    key = wanted.render(bind(wanted.needs, turn.state, local=local))
    if not isinstance(key, str | int) or isinstance(key, bool) or not 0 < len(str(key)) <= MAX_KEY:
        raise ExpressionError(rule.key, f"must be a text of 1 to {MAX_KEY} characters")
    return str(key)
