"""A deferred choice: the step waits, and whatever happens first decides.

* A signal that comes before anything waits for it is kept, the last 100 of them.
* People are asked at the step's gate. Once something else came first nobody is asked any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.binding import bind
from shared.workflow.errors import ExpressionError, present
from shared.workflow.expressions import json_size
from shared.workflow.failing import fail_refused
from shared.workflow.gate_state import GateState, closing_words, is_refused
from shared.workflow.gates import ask
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Signal, SignalReceived
from shared.workflow.scheduling import fail_unrendered
from shared.workflow.turn import Turn

_NOBODY: Final[Mapping[str, Any]] = {"data": {}, "by": "", "approved": False}


def await_first(turn: Turn, step_id: str) -> None:
    """Begin to wait; what has come already decides at once."""
    wait_for = present(turn.compiled(step_id).step.wait_for, "choice")
    delays = [option.after_s for option in wait_for.options if option.after_s is not None]
    due_ms = turn.at_ms + round(min(delays) * 1000) if delays else None
    signals = tuple(option.signal for option in wait_for.options if option.signal is not None)
    turn.emit(ev.StepAwaiting(step=step_id, signals=signals, due_ms=due_ms))
    for signal in turn.state.signals:
        if not signal.used and _decides(turn, step_id, signal):
            return
    if due_ms is not None:
        turn.set_timer(f"choice-{step_id}", due_ms)
    if wait_for.approval is not None:
        ask(turn, step_id, wait_for.approval, step=step_id)


def signal_received(turn: Turn, message: SignalReceived) -> None:
    """Something happened outside: it decides for every step that waits for it, or is kept."""
    if message.id in {signal.id for signal in turn.state.signals}:
        return
    signal = Signal(id=message.id, name=message.name, data=message.data, by=message.by)
    turn.emit(ev.SignalKept(signal=signal))
    for step_id, step in list(turn.state.steps.items()):
        if step.status is StepStatus.WAITING and turn.compiled(step_id).step.wait_for is not None:
            _decides(turn, step_id, signal)


def people_answered(turn: Turn, step_id: str, gate: GateState) -> None:
    """The gate of a choice is closed. Who approves decides; a rejection (or nobody's answer in
    time) decides for `else`, or leaves it to the other options, if there are any."""
    options = present(turn.compiled(step_id).step.wait_for, "choice").options
    index, option = next((i, o) for i, o in enumerate(options) if o.approval is not None)
    approved = not is_refused(gate)
    if approved or option.otherwise:
        turn.clear_timer(f"choice-{step_id}")
        taken = option.then if approved else option.otherwise
        by = gate.votes[-1].by if approved else closing_words(gate)[0]
        answer = {"data": gate.input, "by": by.id, "approved": approved}
        _choose(turn, step_id, index, taken, answer)
    elif len(options) == 1:
        fail_refused(turn, step_id, gate)


def delay_over(turn: Turn, step_id: str) -> None:
    """Nothing else came first."""
    wait_for = present(turn.compiled(step_id).step.wait_for, "choice")
    delays = [(o.after_s, index) for index, o in enumerate(wait_for.options) if o.after_s]
    index = min(delays)[1]
    _choose(turn, step_id, index, wait_for.options[index].then, {})


def _decides(turn: Turn, step_id: str, signal: Signal) -> bool:
    """True when an option of the step waits for this signal, and takes it."""
    compiled = turn.compiled(step_id)
    for index, option in enumerate(present(compiled.step.wait_for, "choice").options):
        accept = compiled.accepts[index]
        if option.signal != signal.name:
            continue
        try:
            values = bind(accept.needs, turn.state, local={"data": signal.data}) if accept else {}
            accepted = accept is None or accept.test(values)
        except ExpressionError as error:
            fail_unrendered(turn, step_id, error)
            return True
        if accepted:
            turn.clear_timer(f"choice-{step_id}")
            happened = {"data": signal.data, "by": signal.by.id}
            _choose(turn, step_id, index, option.then, happened, signal.id)
            return True
    return False


def _choose(
    turn: Turn,
    step_id: str,
    index: int,
    taken: tuple[str, ...],
    happened: Mapping[str, Any],
    signal: str | None = None,
) -> None:
    output = {"option": index, "taken": list(taken), **_NOBODY, **happened}
    turn.emit(
        ev.StepChosen(
            step=step_id,
            output=output,
            output_bytes=json_size(output),
            taken=taken,
            signal=signal,
        )
    )
