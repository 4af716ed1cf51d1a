"""Sizes of streams and queues, from JetStream's own accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.ports.bus import StreamSize

_POOL_KINDS: Final = ("any", "cap", "host")


class NatsBusSamples:
    """Reads stream and consumer information."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def streams(self) -> Sequence[StreamSize]:
        """Every stream of the system."""
        return [
            StreamSize(info.config.name or "", info.state.messages, info.state.bytes)
            for info in await self._bus.jetstream.streams_info()
            if not (info.config.name or "").startswith(("KV_", "OBJ_"))
        ]

    async def queues(self) -> Mapping[str, int]:
        """Tasks that wait for a runner, by kind of pool."""
        waiting = Counter(dict.fromkeys(_POOL_KINDS, 0))
        async for info in self._task_consumers():
            kind = info.name.removeprefix("pool-").partition("-")[0]
            if kind in waiting:
                waiting[kind] += info.num_pending or 0
        return dict(waiting)

    async def _task_consumers(self) -> AsyncGenerator[ConsumerInfo, None]:
        """One for each pool; the server lists them by pages."""
        offset = 0
        while page := await self._bus.jetstream.consumers_info(subjects.TASKS, offset=offset):
            for info in page:
                yield info
            offset += len(page)

    async def in_journal(self, execution_id: str) -> bool:
        """Whether the journal holds anything about an execution."""
        partition = subjects.partition_of(execution_id)
        subject = subjects.journal(partition, subjects.token(execution_id))
        try:
            await self._bus.jetstream.get_last_msg(subjects.journal_stream(partition), subject)
        except NotFoundError:
            return False
        return True

    async def lag(self, partition: int) -> int:
        """Entries of a partition that its coordinator has not acknowledged. The newest consumer
        counts: one before it may be on a server that is away."""
        stream, prefix = subjects.journal_stream(partition), f"coordinator-{partition}-"
        consumers = await self._bus.jetstream.consumers_info(stream)
        mine = [info for info in consumers if info.name.startswith(prefix)]
        newest = max(mine, key=lambda info: str(info.created), default=None)
        return 0 if newest is None else _unacknowledged(newest)


def _unacknowledged(info: ConsumerInfo) -> int:
    return (info.num_pending or 0) + (info.num_ack_pending or 0)
