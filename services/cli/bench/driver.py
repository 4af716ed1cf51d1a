"""Drives executions for a benchmark: states requests, waits for the events of their ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.cli.bench.stack import BenchStack
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.connection import connect
from shared.adapters.nats.ends import ExecutionEnds
from shared.adapters.nats.journal import NatsJournal
from shared.adapters.nats.publisher import Publisher
from shared.ports.templates import StoredTemplate
from shared.runtime.clock import SystemClock, TimeSortedIds
from shared.templates.content import content_hash
from shared.workflow.definition import Template
from shared.workflow.messages import Actor, ExecutionRequested

PATIENCE_S = 120.0


class DidNotCompleteError(Exception):
    """An execution ended otherwise than completed; a figure of it would mean nothing."""


class Driver:
    """Runs executions and waits for them."""

    def __init__(self, mongo: Mongo, publisher: Publisher, ends: ExecutionEnds) -> None:
        self._templates = MongoTemplateStore(mongo)
        self._journal = NatsJournal(publisher)
        self._ids = TimeSortedIds()
        self._ends = ends

    @classmethod
    @asynccontextmanager
    async def connected(cls, stack: BenchStack, *, grouped: bool) -> AsyncIterator[Driver]:
        """A driver with its own connections to a stack."""
        bus = await connect(stack.nats_url, "bench")
        mongo = Mongo(stack.mongo_url)
        publisher = Publisher(bus, grouped=grouped)
        ends = ExecutionEnds(bus)
        await publisher.start()
        await ends.start()
        try:
            yield cls(mongo, publisher, ends)
        finally:
            await publisher.close()
            await bus.close()
            await mongo.close()

    async def store(self, template: Template) -> None:
        """Store a template version."""
        now_ms = SystemClock().now_ms()
        await self._templates.put(StoredTemplate(template, content_hash(template), now_ms, "bench"))

    async def run_one(self, template_id: str) -> float:
        """Seconds from the request to the event of its end."""
        execution_id = self._ids.execution_id()
        end = self._ends.expect(execution_id)
        started = time.perf_counter()
        request = ExecutionRequested(
            template_id=template_id,
            template_version="1.0.0",
            requested_by=Actor(kind="system", id="bench"),
        )
        await self._journal.append(execution_id, request, f"req.{execution_id}")
        async with asyncio.timeout(PATIENCE_S):
            status = await end
        if status != "completed":
            raise DidNotCompleteError(f"{execution_id} of {template_id} ended as {status}")
        return time.perf_counter() - started

    async def run_many(self, template_id: str, count: int, in_flight: int) -> None:
        """Run `count` executions, at most `in_flight` at once."""
        free = asyncio.Semaphore(in_flight)

        async def one() -> None:
            async with free:
                await self.run_one(template_id)

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())
