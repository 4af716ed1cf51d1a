"""Replay: a history folded again, and decided again.

* `fold` needs the history alone: state is the fold of events. It explains and travels in time.
* `redecide` needs the program too: the same messages must lead to the same events; the first
  difference raises `DivergenceError`.
* A crash replays a batch, so entries can be written twice; one whose `seq` is not above the last
  is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict

from shared.workflow.decide import decide
from shared.workflow.errors import CorruptStateError, DivergenceError
from shared.workflow.events import AnyEvent, ExecutionCreated
from shared.workflow.evolve import create, evolve
from shared.workflow.messages import Entry, JournalMessage
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState


class HistoryEntry(BaseModel):
    """What the store keeps of one journal entry: the message, and the events it led to.

    `at_ms` is when the journal took it, in milliseconds since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    seq: int
    at_ms: int
    message: JournalMessage
    events: tuple[AnyEvent, ...]


def fold(execution_id: str, history: Iterable[HistoryEntry]) -> ExecutionState | None:
    """The state after a history; raises `CorruptStateError` if its events do not fit together."""
    state: ExecutionState | None = None
    for entry in _once(history):
        for event in entry.events:
            state = apply(execution_id, state, event, entry.at_ms)
    return state


def redecide(
    program: Program, execution_id: str, history: Iterable[HistoryEntry]
) -> ExecutionState | None:
    """The state after deciding each message again; raises `DivergenceError`."""
    state: ExecutionState | None = None
    for kept in _once(history):
        entry = Entry(
            execution_id=execution_id, seq=kept.seq, at_ms=kept.at_ms, message=kept.message
        )
        decided = decide(program, state, entry)
        if decided.events != kept.events:
            raise DivergenceError(kept.seq, *_first_difference(kept.events, decided.events))
        state = decided.state
    return state


def _once(history: Iterable[HistoryEntry]) -> Iterator[HistoryEntry]:
    last = -1
    for entry in history:
        if entry.seq > last:
            last = entry.seq
            yield entry


def apply(
    execution_id: str, state: ExecutionState | None, event: AnyEvent, at_ms: int
) -> ExecutionState:
    """The state after one event of a history; before the first it is `None`."""
    if not isinstance(event, ExecutionCreated):
        return evolve(state, event, at_ms)
    if state is not None:
        raise CorruptStateError("execution.created comes twice")
    return create(execution_id, event, at_ms)


def _first_difference(
    recorded: tuple[AnyEvent, ...], decided: tuple[AnyEvent, ...]
) -> tuple[str, str]:
    index = next(
        (i for i, pair in enumerate(zip(recorded, decided, strict=False)) if pair[0] != pair[1]),
        min(len(recorded), len(decided)),
    )
    return _shown(recorded, index), _shown(decided, index)


def _shown(events: tuple[AnyEvent, ...], index: int) -> str:
    return repr(events[index]) if index < len(events) else "nothing more"
