"""Replay: a history folded again, and decided again.

* `fold` needs the history alone: state is the fold of events. It explains and travels in time.
* `at_event` is the fold up to the Nth event, which the state counts as its `version`.
* `redecide` needs the program too: the same messages must lead to the same events; the first
  difference raises `DivergenceError`. `divergence` tells it, field by field, instead.
* A crash replays a batch, so entries can be written twice; one whose `seq` is not above the last
  is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from shared.workflow.decide import Decided, decide
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


MAX_DIFFERENCES: Final = 50
"""Fields of two events that are told to differ."""


class Difference(BaseModel):
    """A field of an event, `parameters/argv/0`, that is decided otherwise now."""

    model_config = ConfigDict(frozen=True)

    field: str
    recorded: Any = None
    decided: Any = None


class Divergence(BaseModel):
    """The first place where the code decides otherwise than it once did.

    `event` is the number of the first event that differs, `message` the type of what led to it.
    `recorded` and `decided` are `None` where there is no such event; `error` is why the message
    cannot be decided at all.
    """

    model_config = ConfigDict(frozen=True)

    seq: int
    at_ms: int
    message: str
    event: int
    recorded: dict[str, Any] | None = None
    decided: dict[str, Any] | None = None
    differences: tuple[Difference, ...] = ()
    error: str = ""


class Moment(BaseModel):
    """An execution right after its event `number` (from 1), which the entry `seq` led to."""

    model_config = ConfigDict(frozen=True)

    number: int
    seq: int
    at_ms: int
    event: AnyEvent
    state: ExecutionState


def fold(execution_id: str, history: Iterable[HistoryEntry]) -> ExecutionState | None:
    """The state after a history; raises `CorruptStateError` if its events do not fit together."""
    state: ExecutionState | None = None
    for entry in _once(history):
        for event in entry.events:
            state = apply(execution_id, state, event, entry.at_ms)
    return state


def at_event(execution_id: str, history: Iterable[HistoryEntry], number: int) -> Moment | None:
    """The execution after its event `number`, or `None` where it has fewer."""
    state: ExecutionState | None = None
    count = 0
    for entry in _once(history):
        for event in entry.events:
            state, count = apply(execution_id, state, event, entry.at_ms), count + 1
            if count == number:
                return Moment(
                    number=number, seq=entry.seq, at_ms=entry.at_ms, event=event, state=state
                )
    return None


def redecide(
    program: Program, execution_id: str, history: Iterable[HistoryEntry]
) -> ExecutionState | None:
    """The state after deciding each message again; raises `DivergenceError`."""
    state: ExecutionState | None = None
    for kept in _once(history):
        decided = _decided(program, execution_id, state, kept)
        if decided.events != kept.events:
            raise DivergenceError(kept.seq, *_first_difference(kept.events, decided.events))
        state = decided.state
    return state


def divergence(
    program: Program, execution_id: str, history: Iterable[HistoryEntry]
) -> Divergence | None:
    """Where deciding each message again first leads to something else; `None` where nowhere."""
    state: ExecutionState | None = None
    count = 0
    for kept in _once(history):
        try:
            decided = _decided(program, execution_id, state, kept)
        except Exception as error:  # whatever changed code may raise
            return _diverged(kept, count, 0, (), f"{type(error).__name__}: {error}")
        if decided.events != kept.events:
            index = _first_index(kept.events, decided.events)
            return _diverged(kept, count, index, decided.events)
        state = decided.state
        count += len(kept.events)
    return None


def _decided(
    program: Program, execution_id: str, state: ExecutionState | None, kept: HistoryEntry
) -> Decided:
    entry = Entry(execution_id=execution_id, seq=kept.seq, at_ms=kept.at_ms, message=kept.message)
    return decide(program, state, entry)


def _diverged(
    kept: HistoryEntry, count: int, index: int, decided: tuple[AnyEvent, ...], error: str = ""
) -> Divergence:
    recorded, other = _fields(kept.events, index), _fields(decided, index)
    return Divergence(
        seq=kept.seq,
        at_ms=kept.at_ms,
        message=kept.message.type,
        event=count + index + 1,
        recorded=recorded,
        decided=other,
        differences=tuple(_differences("", recorded, other))[:MAX_DIFFERENCES]
        if recorded is not None and other is not None
        else (),
        error=error,
    )


def _fields(events: tuple[AnyEvent, ...], index: int) -> dict[str, Any] | None:
    return events[index].model_dump(mode="json") if index < len(events) else None


def _differences(path: str, recorded: Any, decided: Any) -> Iterator[Difference]:
    """Down to the values that differ, through objects and lists."""
    if isinstance(recorded, list) and isinstance(decided, list):
        recorded, decided = dict(enumerate(recorded)), dict(enumerate(decided))
    if isinstance(recorded, dict) and isinstance(decided, dict):
        for key in dict.fromkeys((*recorded, *decided)):
            inner = f"{path}/{key}" if path else str(key)
            yield from _differences(inner, recorded.get(key), decided.get(key))
    elif recorded != decided:
        yield Difference(field=path, recorded=recorded, decided=decided)


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
    index = _first_index(recorded, decided)
    return _shown(recorded, index), _shown(decided, index)


def _first_index(recorded: tuple[AnyEvent, ...], decided: tuple[AnyEvent, ...]) -> int:
    return next(
        (i for i, pair in enumerate(zip(recorded, decided, strict=False)) if pair[0] != pair[1]),
        min(len(recorded), len(decided)),
    )


def _shown(events: tuple[AnyEvent, ...], index: int) -> str:
    return repr(events[index]) if index < len(events) else "nothing more"
