"""Every store twice: in memory, and in a MongoDB database of its own; events also on JetStream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.adapters.mongo.idempotency import MongoIdempotencyStore
from shared.adapters.mongo.keys import MongoKeyStore
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.contracts.history import StoredState
from shared.memory.executions import MemoryExecutionQueries
from shared.memory.idempotency import MemoryIdempotencyStore
from shared.memory.keys import MemoryKeyStore
from shared.memory.templates import MemoryTemplateStore
from shared.ports.executions import ExecutionQueries
from shared.ports.idempotency import IdempotencyStore
from shared.ports.keys import KeyStore
from shared.ports.store import StateWrite
from shared.ports.templates import TemplateStore
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState


class Write(Protocol):
    """Plays the coordinator: stores a state and the entries that led to it."""

    async def __call__(
        self, state: ExecutionState, entries: tuple[HistoryEntry, ...], seq: int
    ) -> None: ...


@dataclass(frozen=True)
class Stores:
    templates: TemplateStore
    keys: KeyStore
    idempotency: IdempotencyStore
    executions: ExecutionQueries
    write: Write


@pytest.fixture(params=["memory", "mongo"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield _in_memory()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    yield await _in_mongo(mongo)
    await mongo.close()


def _in_memory() -> Stores:
    executions = MemoryExecutionQueries()

    async def write(state: ExecutionState, entries: tuple[HistoryEntry, ...], seq: int) -> None:
        executions.store(state, entries)

    return Stores(
        MemoryTemplateStore(), MemoryKeyStore(), MemoryIdempotencyStore(), executions, write
    )


async def _in_mongo(mongo: Mongo) -> Stores:
    store, executions = MongoExecutionStore(mongo), MongoExecutionQueries(mongo)
    templates, keys = MongoTemplateStore(mongo), MongoKeyStore(mongo)
    idempotency = MongoIdempotencyStore(mongo)
    for one in (templates, keys, idempotency, executions, store):
        await one.ensure_indexes()
        await one.ensure_indexes()

    async def write(state: ExecutionState, entries: tuple[HistoryEntry, ...], seq: int) -> None:
        await store.write([StateWrite(StoredState(partition=0, seq=seq, state=state), entries)])

    return Stores(templates, keys, idempotency, executions, write)
