"""The JetStream streams and buckets, as this system needs them. Making them is idempotent.

Coordinators and the gateway make them. A runner may not: it waits until they are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Set
from functools import partial
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.api import (
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, BadRequestError, NotFoundError

from shared.adapters.nats.bundles import BUCKET, CONTENTS, NatsBundles
from shared.adapters.nats.captures import capture_streams
from shared.adapters.nats.connection import Bus
from shared.adapters.nats.record import record_stream
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
"""How often it is looked whether the streams are there, or can be made."""
PATIENCE_S: Final = 60.0
"""How long servers may take to be ready to hold streams."""
CLUSTER_REPLICAS: Final = 3

_NO_PEERS: Final = frozenset({10005, 10023})
"""The server's codes for: too few servers that could hold a replica, at least now."""
_NOT_CLUSTERED: Final = 10074


class StreamsError(Exception):
    """NATS cannot hold the streams as they are wanted."""


async def ensure_streams(
    bus: Bus, *, replicas: int = 0, partitions: int = subjects.PARTITIONS
) -> None:
    """Make every stream and bucket that is missing, and give the others so many replicas.

    `replicas` 0: three on a cluster, one on a single server. Waits while the servers elect their
    leaders. Raises `StreamsError` when they cannot hold the streams so.
    """
    copies = replicas or (CLUSTER_REPLICAS if bus.clustered else 1)
    for config in (*_streams(copies, partitions), *capture_streams(copies), record_stream(copies)):
        await _ensure(bus, config)
    await ensure_bucket(bus, subjects.AGENTS_BUCKET, AGENT_TTL_S, copies)
    await ensure_bucket(bus, subjects.LEASES_BUCKET, LEASE_TTL_S, copies)
    await _patiently("bundles", lambda: NatsBundles(bus).ensure(copies))
    for name in (f"KV_{BUCKET}", f"OBJ_{CONTENTS}"):
        await _patiently(name, partial(_replicate, bus, name, copies))


async def await_streams(bus: Bus) -> None:
    """Wait for what a runner needs."""
    journals = [f"JOURNAL_{index}" for index in range(subjects.JOURNAL_STREAMS)]
    buckets = (f"KV_{subjects.AGENTS_BUCKET}", f"KV_{BUCKET}", f"OBJ_{CONTENTS}")
    captures = (subjects.CAPTURES, subjects.CAPTURE_BLOBS)
    await _await(bus, {*journals, subjects.TASKS, subjects.LOGS, *captures, *buckets})


async def await_learning_streams(bus: Bus) -> None:
    """Wait for what the learning service needs."""
    await _await(bus, {subjects.RECORD, subjects.EVENTS, f"KV_{subjects.LEASES_BUCKET}"})


async def _await(bus: Bus, needed: Set[str]) -> None:
    while missing := needed - await _present(bus):
        log.info("waiting for a coordinator to make the streams", missing=sorted(missing))
        await asyncio.sleep(AGAIN_S)


async def _present(bus: Bus) -> set[str]:
    """The streams that have a leader now; none while the servers elect theirs."""
    try:
        return {info.config.name or "" for info in await bus.jetstream.streams_info()}
    except (NatsError, TimeoutError) as error:
        log.info("streams not listed now", error=str(error) or type(error).__name__)
        return set()


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
    name = config.name or ""

    async def attempt() -> None:
        try:
            await _replicate(bus, name, config.num_replicas or 1)
        except NotFoundError:
            await _make(bus, config)

    await _patiently(name, attempt)


async def _make(bus: Bus, config: StreamConfig) -> None:
    try:
        await bus.jetstream.add_stream(config)
    except BadRequestError as error:
        if error.err_code in _NO_PEERS:
            raise
        await bus.jetstream.update_stream(config)  # another process made it first


async def _replicate(bus: Bus, name: str, replicas: int) -> None:
    """Give a stream that exists so many replicas. Raises `NotFoundError` when there is none."""
    config = (await bus.jetstream.stream_info(name)).config
    if config.num_replicas != replicas:
        log.info("stream gets other replicas", stream=name, was=config.num_replicas, now=replicas)
        await bus.jetstream.update_stream(config.evolve(num_replicas=replicas))


async def _patiently(name: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """Try while the servers start, elect a leader, or are too few, and say so."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            return await attempt()
        except (APIError, TimeoutError) as error:
            if not _may_pass(error) or asyncio.get_running_loop().time() > deadline:
                raise StreamsError(_advice(name, error)) from error
            log.info("not ready to hold a stream", stream=name, error=_words(error))
        await asyncio.sleep(AGAIN_S)


def _may_pass(error: APIError | TimeoutError) -> bool:
    """Whether the same request may be granted a moment later."""
    if not isinstance(error, APIError):
        return True
    return error.err_code in _NO_PEERS or (
        (error.code or 500) >= 500 and error.err_code != _NOT_CLUSTERED
    )


def _advice(name: str, error: Exception) -> str:
    return (
        f"NATS does not hold {name} as asked ({_words(error)}); check that the servers run with "
        "JetStream, and that HIVE_REPLICAS is not more than there are"
    )


def _words(error: Exception) -> str:
    return getattr(error, "description", None) or str(error) or type(error).__name__


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
