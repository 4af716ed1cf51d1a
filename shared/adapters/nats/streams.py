"""The JetStream streams and buckets, as this system needs them. Making them is idempotent.

Coordinators and the gateway make them. A runner may not: it waits until they are there.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from nats.js.api import (
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from shared.adapters.nats.bundles import BUCKET, CONTENTS, NatsBundles
from shared.adapters.nats.connection import Bus
from shared.contracts import subjects

log = structlog.get_logger()

DUPLICATES_S: Final = 120.0
"""For how long message ids are remembered, in seconds."""
EVENTS_AGE_S: Final = 7 * 86_400.0
LOGS_AGE_S: Final = 7 * 86_400.0
LOGS_BYTES: Final = 1024 * 1024 * 1024
AGENT_TTL_S: Final = 10.0
LEASE_TTL_S: Final = 6.0
AGAIN_S: Final = 1.0
"""How often a runner looks whether the streams are there."""


async def ensure_streams(
    bus: Bus, *, replicas: int = 1, partitions: int = subjects.PARTITIONS
) -> None:
    """Make every stream and bucket that is missing, and bring the others up to date."""
    for config in _streams(replicas, partitions):
        await _ensure(bus, config)
    await ensure_bucket(bus, subjects.AGENTS_BUCKET, AGENT_TTL_S, replicas)
    await ensure_bucket(bus, subjects.LEASES_BUCKET, LEASE_TTL_S, replicas)
    await NatsBundles(bus).ensure(replicas)


async def await_streams(bus: Bus) -> None:
    """Wait for what a runner needs."""
    journals = [f"JOURNAL_{index}" for index in range(subjects.JOURNAL_STREAMS)]
    buckets = (f"KV_{subjects.AGENTS_BUCKET}", f"KV_{BUCKET}", f"OBJ_{CONTENTS}")
    needed = {*journals, subjects.TASKS, subjects.LOGS, *buckets}
    while missing := needed - {info.config.name for info in await bus.jetstream.streams_info()}:
        log.info("waiting for a coordinator to make the streams", missing=sorted(missing))
        await asyncio.sleep(AGAIN_S)


def _streams(replicas: int, partitions: int) -> list[StreamConfig]:
    journals = [_journal(index, replicas, partitions) for index in range(subjects.JOURNAL_STREAMS)]
    return [
        *journals,
        StreamConfig(
            name=subjects.TASKS,
            subjects=["hive.task.>"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            num_replicas=replicas,
            duplicate_window=DUPLICATES_S,
            allow_direct=True,
            allow_atomic=True,
        ),
        StreamConfig(
            name=subjects.EVENTS,
            subjects=["hive.event.>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=EVENTS_AGE_S,
            num_replicas=replicas,
            duplicate_window=DUPLICATES_S,
            allow_direct=True,
            allow_atomic=True,
        ),
        StreamConfig(
            name=subjects.LOGS,
            subjects=["hive.log.>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=LOGS_AGE_S,
            max_bytes=LOGS_BYTES,
            discard=DiscardPolicy.OLD,
            num_replicas=replicas,
            allow_direct=True,
        ),
    ]


def _journal(index: int, replicas: int, partitions: int) -> StreamConfig:
    mine = [p for p in range(partitions) if subjects.journal_stream(p) == f"JOURNAL_{index}"]
    return StreamConfig(
        name=f"JOURNAL_{index}",
        subjects=[s for p in mine for s in (f"hive.journal.{p}.*", f"hive.timer.{p}.>")],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=DUPLICATES_S,
        allow_direct=True,
        allow_atomic=True,
        allow_msg_schedules=True,
    )


async def _ensure(bus: Bus, config: StreamConfig) -> None:
    try:
        await bus.jetstream.stream_info(config.name or "")
    except NotFoundError:
        try:
            await bus.jetstream.add_stream(config)
        except BadRequestError:  # another process made it first
            await bus.jetstream.update_stream(config)


async def ensure_bucket(bus: Bus, name: str, ttl_s: float, replicas: int = 1) -> None:
    """A key-value bucket, except that a key can be deleted at once (a lease that is given up)."""
    config = StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_msgs_per_subject=1,
        max_age=ttl_s,
        discard=DiscardPolicy.NEW,
        num_replicas=replicas,
        allow_direct=True,
        allow_rollup_hdrs=True,
    )
    await _ensure(bus, config)
