"""One bus to hold the ports to their contract: in memory, or NATS with either way of publishing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from nats.js.errors import ServerError

from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.effects import NatsEffects
from shared.adapters.nats.journal import NatsJournal, NatsJournalReader
from shared.adapters.nats.leases import NatsLeases
from shared.adapters.nats.orders import NatsOrders
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_bucket, ensure_streams
from shared.adapters.nats.task_pools import NatsTaskPools
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.contracts import subjects
from shared.contracts.events import PublicEvent
from shared.memory.agents import MemoryAgentDirectory
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.journal import MemoryJournal, MemoryJournalReader
from shared.memory.leases import MemoryLeases
from shared.memory.orders import MemoryOrders
from shared.memory.tasks import MemoryTaskFeed, MemoryTaskPools
from shared.ports.agents import AgentDirectory
from shared.ports.effects import Effects
from shared.ports.journal import Journal, JournalReader, RawEntry
from shared.ports.leases import Leases
from shared.ports.orders import Orders
from shared.ports.tasks import TaskDelivery, TaskFeed, TaskPools

STORE_NOT_MADE = 10_049
"""The server's code for a stream whose folder it cannot make."""
TTL_MS = 1_500
"""Of leases and agents."""
ACK_WAIT_MS = 1_500
BUCKETS = (subjects.LEASES_BUCKET, subjects.AGENTS_BUCKET)
PATIENCE_S = 10.0
QUIET_S = 0.4


class BusRig(Protocol):
    """Ports of one kind, and what a test must do around them."""

    def now_ms(self) -> int: ...
    def journal(self) -> Journal: ...
    def reader(self, owner: str) -> JournalReader: ...
    def effects(self) -> Effects: ...
    async def feed(self, agent: str, capabilities: Sequence[str], *, slots: int) -> TaskFeed: ...
    def pools(self) -> TaskPools: ...
    def leases(self) -> Leases: ...
    def agents(self) -> AgentDirectory: ...
    def orders(self) -> Orders: ...

    async def put_raw(self, execution_id: str, payload: bytes) -> None:
        """Put any bytes into the journal."""

    async def put_raw_task(self, pool: str, execution_id: str, payload: bytes) -> None:
        """Put any bytes into a task queue."""

    async def events(self) -> list[PublicEvent]:
        """All that are stored, in order."""

    async def pass_time(self, ms: int) -> None:
        """Let at least so much time pass."""

    async def settle(self) -> None:
        """Let the server carry out what it was told without an answer."""


class MemoryRig:
    """Everything in memory."""

    def __init__(self) -> None:
        self.bus = MemoryBus(ack_wait_ms=ACK_WAIT_MS, lease_ttl_ms=TTL_MS, agent_ttl_ms=TTL_MS)

    def now_ms(self) -> int:
        return self.bus.clock.now_ms()

    def journal(self) -> Journal:
        return MemoryJournal(self.bus)

    def reader(self, owner: str) -> JournalReader:
        return MemoryJournalReader(self.bus)

    def effects(self) -> Effects:
        return MemoryEffects(self.bus)

    async def feed(self, agent: str, capabilities: Sequence[str], *, slots: int) -> TaskFeed:
        feed = MemoryTaskFeed(self.bus, agent, capabilities, slots=slots)
        await feed.start()
        return feed

    def pools(self) -> TaskPools:
        return MemoryTaskPools(self.bus)

    def leases(self) -> Leases:
        return MemoryLeases(self.bus)

    def agents(self) -> AgentDirectory:
        return MemoryAgentDirectory(self.bus)

    def orders(self) -> Orders:
        return MemoryOrders(self.bus)

    async def put_raw(self, execution_id: str, payload: bytes) -> None:
        self.bus.journal.append(execution_id, payload, None)

    async def put_raw_task(self, pool: str, execution_id: str, payload: bytes) -> None:
        self.bus.tasks.put(pool, execution_id, payload, f"raw.{execution_id}", resent=False)

    async def events(self) -> list[PublicEvent]:
        found: list[PublicEvent] = []
        async for sequenced in self.bus.events.read(0):
            found.append(sequenced.event)
            if sequenced.seq == await self.bus.events.last_seq():
                break
        return found

    async def pass_time(self, ms: int) -> None:
        self.bus.clock.advance(ms)

    async def settle(self) -> None:
        """Everything is carried out at once."""


class NatsRig:
    """NATS as the executor sees it, with leases and agents that perish soon."""

    def __init__(self, bus: Bus, publisher: Publisher, admin: Bus, closing: AsyncExitStack) -> None:
        self.bus = bus
        self._admin = admin
        self.publisher = publisher
        self._closing = closing

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def journal(self) -> Journal:
        return NatsJournal(self.publisher)

    def reader(self, owner: str) -> JournalReader:
        reader = NatsJournalReader(self.bus, owner)
        for partition in range(subjects.PARTITIONS):
            self._closing.push_async_callback(reader.close, partition)
        return reader

    def effects(self) -> Effects:
        return NatsEffects(self.bus, self.publisher)

    async def feed(self, agent: str, capabilities: Sequence[str], *, slots: int) -> TaskFeed:
        feed = NatsTaskFeed(
            self.bus, agent, capabilities, slots=slots, ack_wait_s=ACK_WAIT_MS / 1000
        )
        self._closing.push_async_callback(feed.close)
        await feed.start()
        return feed

    def pools(self) -> TaskPools:
        return NatsTaskPools(self.bus)

    def leases(self) -> Leases:
        return NatsLeases(self.bus)

    def agents(self) -> AgentDirectory:
        return NatsAgentDirectory(self.bus)

    def orders(self) -> Orders:
        return NatsOrders(self.bus)

    async def put_raw(self, execution_id: str, payload: bytes) -> None:
        subject = subjects.journal(subjects.partition_of(execution_id), execution_id)
        await self.bus.jetstream.publish(subject, payload)

    async def put_raw_task(self, pool: str, execution_id: str, payload: bytes) -> None:
        await self.bus.jetstream.publish(subjects.task(pool, execution_id, "s", 1, 0), payload)

    async def events(self) -> list[PublicEvent]:
        stream = self._admin.jetstream
        info = await stream.stream_info(subjects.EVENTS)
        stored = range(info.state.first_seq, info.state.last_seq + 1)
        raw = [await stream.get_msg(subjects.EVENTS, seq) for seq in stored]
        return [PublicEvent.model_validate_json(message.data or b"") for message in raw]

    async def pass_time(self, ms: int) -> None:
        await asyncio.sleep(ms / 1000)

    async def settle(self) -> None:
        await self.bus.client.flush()
        await asyncio.sleep(0.1)


async def make_anew(url: str) -> None:
    """Make the streams anew: without messages, consumers and remembered message ids."""
    admin = await connect(url, "contract tests: cleaning")
    await until(lambda: _made_anew(admin))
    await admin.close()


async def _buckets_gone(url: str) -> None:
    """Take away the buckets whose entries perish so soon: who comes next makes its own."""
    admin = await connect(url, "contract tests: cleaning")
    for bucket in BUCKETS:
        await admin.jetstream.delete_stream(f"KV_{bucket}")
    await admin.close()


async def _made_anew(admin: Bus) -> bool:
    """False while the server is still deleting a stream: it comes back with what it held, or cannot
    be made on the folder that is going away."""
    for stream in await admin.jetstream.streams_info():
        await admin.jetstream.delete_stream(stream.config.name or "")
    try:
        for bucket in BUCKETS:
            await ensure_bucket(admin, bucket, TTL_MS / 1000)
        await ensure_streams(admin)
    except ServerError as error:
        if error.err_code != STORE_NOT_MADE:
            raise
        return False
    streams = await admin.jetstream.streams_info()
    # The record does not begin with 1: its places rise for ever, whatever becomes of the stream.
    return all(
        one.state.messages == 0 and (one.state.last_seq == 0 or one.config.name == subjects.RECORD)
        for one in streams
    )


@asynccontextmanager
async def nats_rig(admin_url: str, url: str, *, grouped: bool) -> AsyncIterator[NatsRig]:
    """A rig on new streams; fails when it leaves a task behind."""
    await make_anew(admin_url)
    before = asyncio.all_tasks()
    bus, admin = await connect(url, "contract tests"), await connect(admin_url, "watcher")
    publisher = Publisher(bus, grouped=grouped)
    await publisher.start()
    async with AsyncExitStack() as closing:
        yield NatsRig(bus, publisher, admin, closing)
    await publisher.close()
    await bus.close()
    await admin.close()
    await until(lambda: _is_empty(asyncio.all_tasks() - before))
    await _buckets_gone(admin_url)


async def _is_empty(tasks: set[asyncio.Task[object]]) -> bool:
    return not [task for task in tasks if not task.done() and task is not asyncio.current_task()]


async def until(condition: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds; raises `TimeoutError` when it does not."""
    async with asyncio.timeout(patience_s):
        while not await condition():  # noqa: ASYNC110 - anything may be waited for
            await asyncio.sleep(0.02)


async def entries_of(reader: JournalReader, count: int) -> list[RawEntry]:
    """The next entries of a reader; raises `TimeoutError` when there are fewer."""
    found: list[RawEntry] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += (await reader.take(count - len(found))).entries
    return found


async def lost_by(reader: JournalReader) -> list[int]:
    """The partitions that a reader loses next."""
    async with asyncio.timeout(PATIENCE_S):
        while not (lost := (await reader.take(100)).lost):
            pass
    return list(lost)


async def nothing_for(reader: JournalReader) -> bool:
    """True when a reader gets no entry for a while."""
    try:
        async with asyncio.timeout(QUIET_S):
            while not (await reader.take(100)).entries:
                pass
    except TimeoutError:
        return True
    return False


async def tasks_of(feed: TaskFeed, count: int) -> list[TaskDelivery]:
    """The next tasks of a feed; raises `TimeoutError` when there are fewer."""
    found: list[TaskDelivery] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += await feed.take(count - len(found))
    return found


async def no_task_for(feed: TaskFeed) -> bool:
    """True when a feed gets no task for a while."""
    try:
        async with asyncio.timeout(QUIET_S):
            return not await feed.take(1)
    except TimeoutError:
        return True
