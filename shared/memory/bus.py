"""A bus in memory: what NATS is to the real adapters, one object shared by all memory ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimQuestion
from shared.contracts.tasks import StopOrder
from shared.memory.clock import ManualClock
from shared.memory.events import MemoryEvents
from shared.memory.faults import Faults
from shared.memory.journal_streams import JournalStreams
from shared.memory.task_queue import TaskQueue

DUPLICATES_MS: Final = 120_000
"""For how long message ids are remembered."""
ACK_WAIT_MS: Final = 15_000
"""A task whose runner is silent for this long goes to another one."""
LEASE_TTL_MS: Final = 6_000
AGENT_TTL_MS: Final = 10_000

T = TypeVar("T")
Holds = Callable[[ClaimQuestion], bool]
Answer = Callable[[int, ClaimQuestion], Awaitable[ClaimAnswer | None]]


@dataclass(slots=True)
class Perishable(Generic[T]):
    """Something that is there until a time."""

    value: T
    until_ms: int


@dataclass(slots=True)
class Listeners:
    """Who listens to orders and answers questions."""

    stop: list[Callable[[StopOrder], None]] = field(default_factory=list)
    decided: dict[str, Callable[[ClaimDecision], None]] = field(default_factory=dict)
    holds: dict[str, Holds] = field(default_factory=dict)
    claims: list[Answer] = field(default_factory=list)


class MemoryBus:
    """Holds journal, tasks, events, leases and agents for as long as the process lives.

    Deterministic: time is the clock's, and nothing happens but in calls and in `clock.advance`.
    """

    def __init__(
        self,
        clock: ManualClock | None = None,
        *,
        faults: Faults | None = None,
        partitions: int = subjects.PARTITIONS,
        ack_wait_ms: int = ACK_WAIT_MS,
        lease_ttl_ms: int = LEASE_TTL_MS,
        agent_ttl_ms: int = AGENT_TTL_MS,
    ) -> None:
        self.clock = clock or ManualClock()
        self.faults = faults or Faults()
        self.partitions = partitions
        self.journal = JournalStreams(self.clock, partitions, DUPLICATES_MS)
        self.tasks = TaskQueue(self.clock, ack_wait_ms, DUPLICATES_MS)
        self.events = MemoryEvents()
        self.lease_ttl_ms = lease_ttl_ms
        self.leases: dict[str, Perishable[str]] = {}
        self.agent_ttl_ms = agent_ttl_ms
        self.agents: dict[str, Perishable[AgentRecord]] = {}
        self.listeners = Listeners()
