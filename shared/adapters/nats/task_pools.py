"""All pools of tasks on JetStream, for whoever looks for tasks that nobody serves any more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo
from nats.js.errors import APIError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.direct import delivery
from shared.adapters.nats.tasks import NatsTaskDelivery
from shared.contracts import subjects

TAKE_WAIT_S: Final = 0.5
"""How long the server may take to find out that nothing is there."""

_PREFIX: Final = "hive.task."
_SUFFIX: Final = ".>"


class NatsTaskPools:
    """The consumers of the stream `TASKS`: one for each pool."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def occupied(self) -> Sequence[str]:
        """The pools that hold tasks, waiting or in the hands of a runner."""
        try:
            return [_pool(info) async for info in self._consumers() if _holds_tasks(info)]
        except (NatsError, APIError) as error:
            raise OSError(f"pools not read: {error}") from error

    async def take(self, pool: str, limit: int) -> Sequence[NatsTaskDelivery]:
        """Tasks of a pool that no runner has."""
        name = subjects.pool_consumer(pool)
        try:
            puller = await self._bus.jetstream.pull_subscribe_bind(name, subjects.TASKS)
            try:
                messages = await puller.fetch(limit, timeout=TAKE_WAIT_S)
            except TimeoutError:
                messages = []
            finally:
                await puller.unsubscribe()
        except (NatsError, APIError) as error:
            raise OSError(f"pool {pool} not read: {error}") from error
        return [NatsTaskDelivery(self._bus, delivery(message)) for message in messages]

    async def _consumers(self) -> AsyncGenerator[ConsumerInfo, None]:
        """Every consumer; the server lists them by pages."""
        offset = 0
        while page := await self._bus.jetstream.consumers_info(subjects.TASKS, offset=offset):
            for info in page:
                yield info
            offset += len(page)


def _holds_tasks(info: ConsumerInfo) -> bool:
    return bool(info.num_pending or info.num_ack_pending)


def _pool(info: ConsumerInfo) -> str:
    subject = info.config.filter_subject or ""
    return subject.removeprefix(_PREFIX).removesuffix(_SUFFIX)
