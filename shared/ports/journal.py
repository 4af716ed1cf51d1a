"""The journal: facts and requests in, in order per execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.workflow.messages import JournalMessage


@dataclass(frozen=True, slots=True)
class RawEntry:
    """A journal message as delivered. `payload` is not yet parsed: it may be poison.

    `redelivered` is true for what was in the journal when the feed was opened.
    """

    partition: int
    execution_id: str
    seq: int
    at_ms: int
    payload: bytes
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class TimerOrder:
    """A durable timer: `payload` is put into the execution's journal at `due_ms`."""

    execution_id: str
    name: str
    due_ms: int
    payload: bytes


class Journal(Protocol):
    """Where anyone states facts and requests."""

    async def append(self, execution_id: str, message: JournalMessage, message_id: str) -> bool:
        """Store a message durably. False when one of the same id was stored before."""
        ...


class JournalFeed(Protocol):
    """The journal of one partition, as its coordinator reads it: all that is not acknowledged,
    oldest first, then what comes."""

    async def take(self, limit: int) -> Sequence[RawEntry]:
        """Wait for at least one entry, then give what is there, at most `limit`.

        Raises `FeedClosed` when another coordinator took the partition.
        """
        ...

    async def caught_up(self) -> bool:
        """True when everything that was in the journal at opening has been taken."""
        ...

    async def acknowledge(self, seq: int) -> None:
        """Everything up to `seq` is stored elsewhere; the journal may forget it."""
        ...

    async def close(self) -> None:
        """Stop reading; what is not acknowledged stays for the next feed."""
        ...


class FeedClosedError(Exception):
    """The feed is no longer this coordinator's."""
