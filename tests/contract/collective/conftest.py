"""Each port three times: in memory, in MongoDB, and over NATS with MongoDB behind the desk."""

from collections.abc import AsyncIterator

import pytest

from services.executor.desk import Collective, serve_collective
from shared.adapters.mongo.broadcasts import MongoBroadcasts
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.delegations import MongoDelegations
from shared.adapters.mongo.memories import MongoMemories
from shared.adapters.mongo.participants import MongoParticipants
from shared.adapters.nats.collective_client import (
    RemoteBroadcasts,
    RemoteDelegations,
    RemoteMemories,
    RemoteParticipants,
)
from shared.adapters.nats.connection import connect
from shared.adapters.nats.rpc import RpcService
from shared.memory.broadcasts import MemoryBroadcasts
from shared.memory.delegations import MemoryDelegations
from shared.memory.memories import MemoryMemories
from shared.memory.participants import MemoryParticipants


@pytest.fixture(params=["memory", "mongo", "remote"])
async def collective(request: pytest.FixtureRequest) -> AsyncIterator[Collective]:
    if request.param == "memory":
        yield Collective(
            MemoryMemories(), MemoryDelegations(), MemoryBroadcasts(), MemoryParticipants()
        )
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    stored = await stored_collective(mongo)
    if request.param == "mongo":
        yield stored
    else:
        bus = await connect(request.getfixturevalue("nats_url"), "test")
        service = RpcService(bus, "collective", "1.0.0")
        await service.start()
        await serve_collective(service, stored)
        yield Collective(
            RemoteMemories(bus),
            RemoteDelegations(bus),
            RemoteBroadcasts(bus),
            RemoteParticipants(bus),
        )
        await service.close()
        await bus.close()
    await mongo.close()


async def stored_collective(mongo: Mongo) -> Collective:
    memories, delegations = MongoMemories(mongo), MongoDelegations(mongo)
    broadcasts = MongoBroadcasts(mongo)
    await memories.ensure_indexes()
    await delegations.ensure_indexes()
    await broadcasts.ensure_indexes()
    return Collective(memories, delegations, broadcasts, MongoParticipants(mongo))
