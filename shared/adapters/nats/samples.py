"""Sizes of streams and queues, from JetStream's own accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from nats.js.api import ConsumerInfo

from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.ports.bus import StreamSize


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
        waiting: Counter[str] = Counter({"any": 0, "cap": 0, "host": 0})
        for info in await self._bus.jetstream.consumers_info(subjects.TASKS):
            waiting[info.name.split("-")[1]] += info.num_pending or 0
        return dict(waiting)

    async def lag(self, partition: int) -> int:
        """Entries of a partition that its coordinator has not acknowledged."""
        stream = subjects.journal_stream(partition)
        for info in await self._bus.jetstream.consumers_info(stream):
            if info.name.startswith(f"coordinator-{partition}-"):
                return _unacknowledged(info)
        return 0


def _unacknowledged(info: ConsumerInfo) -> int:
    return (info.num_pending or 0) + (info.num_ack_pending or 0)
