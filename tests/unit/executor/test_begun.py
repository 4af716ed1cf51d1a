"""Which requests need no look into the store."""

from __future__ import annotations

from services.executor.coordinator.begun import FRESH_MS, REQUESTED, Begun
from shared.ports.journal import RawEntry
from shared.workflow.identity import time_sorted_id

MADE_MS = 1_700_000_000_000
REQUEST = b'{"type":' + REQUESTED + b"}"


def entry(number: int = 1, after_ms: int = 5, **fields: object) -> RawEntry:
    made = RawEntry(0, time_sorted_id("ex", MADE_MS, number), 1, MADE_MS + after_ms, REQUEST)
    return made._replace(**fields)  # type: ignore[arg-type]


def test_a_request_is_new_once() -> None:
    """The first request of a young execution is new; another one for it is not."""
    begun = Begun()
    assert begun.is_new(entry())
    assert not begun.is_new(entry(after_ms=90))
    assert begun.is_new(entry(number=2))


def test_what_may_be_known_elsewhere_is_not_new() -> None:
    """What was delivered before, is old, or is about something else is looked for."""
    begun = Begun()
    assert not begun.is_new(entry(redelivered=True))
    assert not begun.is_new(entry(after_ms=FRESH_MS))
    assert not begun.is_new(entry(payload=b'{"type":"attempt_started"}'))
    assert not begun.is_new(entry(execution_id="x1"))


def test_it_remembers_no_longer_than_it_must() -> None:
    """Executions are forgotten once their requests would no longer count as young."""
    begun = Begun()
    assert begun.is_new(entry(number=1))
    late = RawEntry(
        0, time_sorted_id("ex", MADE_MS + FRESH_MS, 2), 2, MADE_MS + FRESH_MS + 9, REQUEST
    )
    assert begun.is_new(late)
    assert len(begun._at_ms) == 1
