"""A gateway in this process, an executor, and a learning service as a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.adapters.mongo.connection import Mongo
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordSink
from shared.contracts import subjects
from tests.integration.gateway_fixtures import emptied, executor, own_database
from tests.integration.gateway_world import open_world
from tests.integration.learning.world import LearningWorld
from tests.servers import Servers


@pytest_asyncio.fixture(name="world", scope="module", loop_scope="module")
async def learning_world(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LearningWorld]:
    """The record and the events of others are not in it."""
    home = tmp_path_factory.mktemp("learning")
    await emptied(servers, subjects.RECORD, subjects.EVENTS)
    with own_database(servers) as mongo_url:
        env = {
            "HIVE_NATS_URL": servers.nats_url("learning"),
            "HIVE_MONGO_URL": mongo_url,
            "HIVE_LEARNING_SNAPSHOT_S": "1",
            "HIVE_LEARNING_SHARE": "1",
            "HIVE_DURABILITY": "relaxed",
        }
        async with (
            open_world(servers.nats_url(), mongo_url, home) as gateway,
            executor(servers.nats_url(), mongo_url, home),
        ):
            mongo = Mongo(mongo_url, journaled=False)
            publisher = Publisher(gateway.bus, grouped=False)
            await publisher.start()
            world = LearningWorld(gateway, mongo, NatsRecordSink(publisher), home, env)
            await world.start()
            yield world
            await world.kill()
            await publisher.close()
            await mongo.close()
