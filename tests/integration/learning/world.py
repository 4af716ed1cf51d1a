"""A learning service as a process that can be killed, and what it keeps, on real servers."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from nats.js.errors import NotFoundError

from ops.stack.layout import REPO_ROOT
from ops.stack.processes import Child, tail
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.mongo.snapshots import MongoSnapshots
from shared.adapters.nats.connection import Bus
from shared.adapters.nats.record import NatsRecordSink
from shared.contracts import subjects
from shared.contracts.learning import BackfillStatus, LearningStatus
from shared.learning.fold import Fold
from shared.learning.next_command_fold import NextCommandFold
from shared.learning.records import AnyRecord, Forget, RecordedCommand
from tests.integration.gateway_world import World

PATIENCE_S = 40.0
WORKS = "is the active one"
LINES = ("git pull", "make test", "make deploy", "tail -n 20 app.log", "ssh root@10.0.0.7")
NOW_MS = int(time.time() * 1000)
"""What is older than it is kept for goes."""
_numbers = count()


def commands(number: int, *users: str) -> Sequence[RecordedCommand]:
    """So many new ones, of these users in turn."""
    made = []
    for each in range(number):
        n = next(_numbers)
        user = users[each % len(users)]
        line = f"{LINES[n % len(LINES)]} {user}-{n % 7}"
        made.append(
            RecordedCommand(
                id=f"c{n}",
                at_ms=NOW_MS + n,
                user=user,
                command=line,
                session=f"s{n // 20}",
                exit=n % 2,
            )
        )
    return made


@dataclass
class LearningWorld:
    """The service's process beside a gateway, and its stores as they are."""

    world: World
    mongo: Mongo
    sink: NatsRecordSink
    home: Path
    env: dict[str, str]
    child: Child | None = None
    starts: int = 0

    @property
    def bus(self) -> Bus:
        return self.world.bus

    @property
    def store(self) -> MongoRecordStore:
        return MongoRecordStore(self.mongo)

    @property
    def snapshots(self) -> MongoSnapshots:
        return MongoSnapshots(self.mongo)

    async def start(self) -> None:
        """Start the service, and wait until it works."""
        # Who was killed holds the lease until it expires: here, at once.
        lease = f"$KV.{subjects.LEASES_BUCKET}.learning"
        await self.bus.jetstream.purge_stream(f"KV_{subjects.LEASES_BUCKET}", subject=lease)
        self.child, log = await self.another()
        await said(self.child, log, WORKS)

    async def another(self) -> tuple[Child, Path]:
        """One more process of the service, which need not work; and its log."""
        self.starts += 1
        log = self.home / f"learning-{self.starts}.log"
        argv = [sys.executable, "-m", "services.learning"]
        env = {**os.environ, "PYTHONPATH": str(REPO_ROOT), **self.env}
        return await asyncio.to_thread(Child, argv, env, log), log

    async def kill(self) -> None:
        """kill -9."""
        assert self.child is not None
        await asyncio.to_thread(self.child.kill)

    async def add(self, *items: AnyRecord) -> None:
        await self.sink.add(items)

    async def status(self) -> LearningStatus:
        """What the gateway tells."""
        answer = await self.world.client.get("/api/v1/learning")
        assert answer.status_code == 200, answer.text
        return LearningStatus.model_validate_json(answer.text)

    async def saved(self) -> bytes:
        """The model as it was saved, once it holds all that is on the bus."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PATIENCE_S
        last = await self.last_on_the_bus()
        while loop.time() < until_s:
            for snapshot in (await self.snapshots.find("next-command"))[:1]:
                if snapshot.place >= last:
                    data = await self.snapshots.data(snapshot)
                    assert data is not None
                    return data
            await asyncio.sleep(0.1)
        raise AssertionError(f"nothing is saved up to {last}: {await self.snapshots.find()}")

    async def rebuilt_by_now(self) -> None:
        """Wait until a rebuild that was ordered is over."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PATIENCE_S
        while any(one.rebuilding for one in (await self.status()).models):
            assert loop.time() < until_s
            await asyncio.sleep(0.1)

    async def until_read(self) -> None:
        """Wait until the ends of all executions are acknowledged."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PATIENCE_S
        while True:
            assert loop.time() < until_s
            try:
                info = await self.bus.jetstream.consumer_info(subjects.EVENTS, "learning")
                if not info.num_pending and not info.num_ack_pending:
                    return
            except NotFoundError:
                assert self.child is not None
            await asyncio.sleep(0.1)

    async def backfilled(self) -> BackfillStatus:
        """How the last backfill ended."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PATIENCE_S
        while (found := (await self.status()).backfill).running:
            assert loop.time() < until_s
            await asyncio.sleep(0.1)
        return found

    async def last_on_the_bus(self) -> int:
        info = await self.bus.jetstream.stream_info(subjects.RECORD)
        return info.state.last_seq

    async def rebuilt(self) -> bytes:
        """The model that follows from what is kept, folded here."""
        return await folded(NextCommandFold(), self.store)


async def said(child: Child, log: Path, what: str) -> None:
    """Wait until a process says something, which it does as long as it lives."""

    def says() -> bool:
        assert child.running, tail(log)
        return log.exists() and what in log.read_text(encoding="utf-8")

    await until(says, lambda: tail(log))


async def folded(fold: Fold, store: MongoRecordStore) -> bytes:
    """A model that is given all that is kept, and never anything else."""
    async for placed in store.read():
        if not isinstance(placed.item, Forget):
            fold.apply(placed.item, placed.place)
    return fold.save()


async def until(holds: Callable[[], bool], told: Callable[[], str] = str) -> None:
    """Wait for it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not holds():
        assert loop.time() < end, told()
        await asyncio.sleep(0.05)
