"""The record twice: in memory and real. Each test has users and ids of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.learning.tail import RecordTail
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.nats.connection import connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordFeed, NatsRecordKeeping, NatsRecordSink
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.memory.record import MemoryRecord, MemoryRecordFeed, MemoryRecordStore
from shared.ports.record import RecordFeed, RecordKeeping, RecordSink, RecordStore
from tests.servers import Servers


@dataclass(frozen=True)
class Stream:
    """The stream of the record. A sink may add commands and orders (`sink`) or runs (`runs`)."""

    sink: RecordSink
    runs: RecordSink
    keeping: RecordKeeping
    new_feed: Callable[[], RecordFeed]
    prefix: str = field(default_factory=lambda: secrets.token_hex(4))

    @asynccontextmanager
    async def feed(self, after: int = 0) -> AsyncIterator[RecordFeed]:
        """A feed that has started."""
        made = self.new_feed()
        await made.start(after)
        yield made
        await made.close()


@pytest.fixture(params=["memory", "nats pipelined", "nats grouped"])
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[Stream]:
    """Over NATS each side logs in as who needs it, and must be allowed all of it."""
    if request.param == "memory":
        record = MemoryRecord()
        yield Stream(record, record, record, lambda: MemoryRecordFeed(record))
        return
    servers: Servers = request.getfixturevalue("servers")
    admin = await connect(servers.nats_url("admin"), "test")
    await ensure_streams(admin, replicas=1)
    await admin.jetstream.purge_stream(subjects.RECORD)
    gateway, learning, suggestion = [
        await connect(servers.nats_url(user), "test")
        for user in ("gateway", "learning", "suggestion")
    ]
    grouped = request.param == "nats grouped"
    publishers = [Publisher(bus, grouped=grouped) for bus in (gateway, learning)]
    for publisher in publishers:
        await publisher.start()
    yield Stream(
        NatsRecordSink(publishers[0]),
        NatsRecordSink(publishers[1]),
        NatsRecordKeeping(learning),
        lambda: NatsRecordFeed(suggestion),
    )
    for publisher in publishers:
        await publisher.close()
    for bus in (gateway, learning, suggestion, admin):
        await bus.close()


@pytest.fixture(params=["memory", "mongo", "memory, its tail in hand", "mongo, its tail in hand"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[RecordStore]:
    """The whole record, or with its newest two items in hand."""
    kind, _, in_hand = request.param.partition(", ")
    if kind == "memory":
        yield RecordTail(MemoryRecordStore(), most=2) if in_hand else MemoryRecordStore()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    made = MongoRecordStore(mongo)
    await made.ensure_indexes()
    yield RecordTail(made, most=2) if in_hand else made
    await mongo.close()
