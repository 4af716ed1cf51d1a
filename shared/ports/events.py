"""Public events: read from any sequence on, published by those who own some."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.events import PublicEvent


@dataclass(frozen=True, slots=True)
class SequencedEvent:
    """An event and its sequence in the stream; sequences rise, with gaps."""

    seq: int
    event: PublicEvent


class EventStream(Protocol):
    """The stream of all public events, kept for a time."""

    async def last_seq(self) -> int:
        """Sequence of the newest event, 0 when there was none yet."""
        ...

    async def oldest_seq(self) -> int:
        """Sequence of the oldest event that is kept, one more than the newest when none is."""
        ...

    def read(
        self, after: int | None = None, execution_id: str | None = None
    ) -> AsyncGenerator[SequencedEvent, None]:
        """Every event after a sequence (default: those still to come), in order, without end;
        with `execution_id` only those of one execution.

        Starts at the oldest that is kept when `after` is older. What cannot be read is left out
        and logged. Close the iterator (`aclose`) to release it.
        """
        ...

    async def about(
        self, subject_id: str, limit: int, *, category: str = "*"
    ) -> Sequence[PublicEvent]:
        """Every event of a category about one thing (an execution, a webhook …) that is kept, in
        order, at most the last so many."""
        ...


class EventSink(Protocol):
    """Publishes events."""

    async def publish(self, event: PublicEvent, about: str = "") -> None:
        """Store an event durably; the same id again changes nothing.

        `about` is the id of what it is about, where that is not an execution.
        """
        ...
