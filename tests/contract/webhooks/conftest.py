"""Every port of the webhooks twice: in memory and real."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.deliveries import MongoDeliveryStore
from shared.adapters.mongo.webhooks import MongoWebhookStore
from shared.adapters.nats.connection import connect
from shared.adapters.nats.durable_events import NatsEventFeed
from shared.adapters.nats.events import NatsEventSink
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.memory.event_feed import MemoryEventFeed, MemoryFeedPlace
from shared.memory.events import MemoryEvents
from shared.memory.webhooks import MemoryDeliveryStore, MemoryWebhookStore
from shared.ports.events import EventSink
from shared.ports.webhooks import DeliveryStore, EventFeed, WebhookStore
from tests.contract.webhooks.samples import event


@dataclass(frozen=True)
class Stores:
    webhooks: WebhookStore
    deliveries: DeliveryStore


@dataclass(frozen=True)
class Feeds:
    """A sink of events, and as many followers of one feed as a test wants.

    The ids of its events are of this test alone: the server drops ids that it has seen of late.
    """

    sink: EventSink
    new: Callable[[], EventFeed]
    prefix: str = field(default_factory=lambda: secrets.token_hex(4))

    async def publish(self, number: int, event_type: str = "execution.completed") -> None:
        await self.sink.publish(event(number, event_type, id=f"{self.prefix}_{number}"))


@pytest.fixture(params=["memory", "mongo"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryWebhookStore(), MemoryDeliveryStore())
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    deliveries = MongoDeliveryStore(mongo)
    await deliveries.ensure_indexes()
    yield Stores(MongoWebhookStore(mongo), deliveries)
    await mongo.close()


@pytest.fixture(params=["memory", "nats"])
async def feeds(request: pytest.FixtureRequest) -> AsyncIterator[Feeds]:
    if request.param == "memory":
        events, place = MemoryEvents(), MemoryFeedPlace()
        yield Feeds(events, lambda: MemoryEventFeed(events, place))
        return
    bus = await connect(request.getfixturevalue("nats_url"), "test")
    await ensure_streams(bus)
    await bus.jetstream.purge_stream(subjects.EVENTS)
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    yield Feeds(NatsEventSink(publisher), lambda: NatsEventFeed(bus, "test_feed"))
    await NatsEventFeed(bus, "test_feed").follow(["*"], 0)
    await bus.jetstream.delete_consumer(subjects.EVENTS, "test_feed")
    await publisher.close()
    await bus.close()
