"""A turn: one decision under way. Events are folded as they are emitted, so that each next one
is decided on the state that the ones before it made."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.errors import CorruptStateError
from shared.workflow.evolve import create, evolve
from shared.workflow.program import CompiledStep, Program
from shared.workflow.state import ExecutionState, StepState


class Turn:
    """Program, state, journal sequence and time of one decision, and what was decided so far."""

    __slots__ = ("_state", "at_ms", "ended_steps", "events", "program", "seq")

    def __init__(
        self, program: Program, state: ExecutionState | None, at_ms: int, seq: int = 0
    ) -> None:
        self.program = program
        self.at_ms = at_ms
        self.seq = seq
        self.events: list[ev.AnyEvent] = []
        self.ended_steps: list[str] = []
        self._state = state

    @property
    def state(self) -> ExecutionState:
        """The state so far."""
        if self._state is None:
            raise CorruptStateError("the execution has not been created")
        return self._state

    def create(self, execution_id: str, event: ev.ExecutionCreated) -> None:
        """Emit the first event of an execution."""
        self._state = create(execution_id, event, self.at_ms)
        self.events.append(event)

    def emit(self, event: ev.AnyEvent) -> None:
        """Decide `event`, and fold it."""
        self._state = evolve(self._state, event, self.at_ms)
        self.events.append(event)
        if isinstance(event, ev.StepEvent) and self._state.steps[event.step].ended:
            self.ended_steps.append(event.step)

    def step(self, step_id: str) -> StepState:
        """The state of one step."""
        return self.state.steps[step_id]

    def compiled(self, step_id: str) -> CompiledStep:
        """The program of one step."""
        return self.program.step(step_id)

    def set_timer(self, timer: str, due_ms: int) -> None:
        """Set a durable timer of this execution, replacing one of the same name."""
        generation = self.state.version
        self.emit(ev.TimerSet(timer=timer, due_ms=due_ms, generation=generation))

    def clear_timer(self, timer: str) -> None:
        """Clear a timer if it is set."""
        if timer in self.state.timers:
            self.emit(ev.TimerCleared(timer=timer))
