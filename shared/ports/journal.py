"""The journal: facts and requests in, in order per execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.workflow.messages import JournalMessage, Message


class RawEntry(NamedTuple):
    """A journal message as delivered. `payload` is not yet parsed: it may be poison.

    `redelivered` is true for what was in the journal when the partition was opened: an earlier
    coordinator may have seen it.
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


class AutomationJournal(Protocol):
    """The same journal, for what is said about schedules."""

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        """Store a message about `execution_id`, here the id of an automation, durably."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What a reader gives: entries of any open partitions, each partition's in order, and the
    partitions that another coordinator has taken over meanwhile."""

    entries: Sequence[RawEntry]
    lost: Sequence[int] = ()


class JournalReader(Protocol):
    """The journal as a coordinator reads it: of each partition that it opened, all that is not
    acknowledged, oldest first, then what comes."""

    async def open(self, partition: int) -> int:
        """Take a partition over: whoever read it before reads no more.

        Gives a sequence up to which everything is known to be acknowledged (0: nothing is known).
        """
        ...

    async def close(self, partition: int) -> None:
        """Stop reading a partition; what is not acknowledged stays for the next reader."""
        ...

    async def take(self, limit: int) -> Taken:
        """Wait for something to do, then give what is there, at most `limit` entries."""
        ...

    async def last_seq(self, partition: int) -> int:
        """The sequence of a partition's newest entry, 0 when it has none."""
        ...

    async def acknowledge(self, partition: int, seq: int) -> None:
        """Everything of the partition up to `seq` is stored; the journal may forget it."""
        ...
