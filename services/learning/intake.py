"""The record, from the bus into the store: in order, each item once.

The law:

1. How far the record is kept says the store, and nothing else: reading begins behind its last
   place. So a crash anywhere loses nothing, and what comes again is not taken again.
2. An order to forget takes effect before it is kept: what it means is removed from the bus and from
   the store, and then it is put. Whoever reads the order in the store therefore knows that nothing
   in front of it is left of what it means.
3. What a step ran before somebody ordered to forget it is not kept, whenever it is derived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from shared.learning.records import AnyRecord, Forget, RecordedCommand
from shared.ports.record import Placed, RecordFeed, RecordKeeping, RecordStore
from shared.runtime.learning_meter import LearningMeter

log = structlog.get_logger()

AT_ONCE: Final = 500
WAIT_S: Final = 1.0
AGAIN_S: Final = 2.0
GATHER_S: Final = 0.2


class Arrivals:
    """Tells those who wait that the store has more, soon: what comes in a moment is one piece of
    news."""

    def __init__(self, gather_s: float = GATHER_S) -> None:
        self._gather_s = gather_s
        self._event = asyncio.Event()
        self._soon: asyncio.TimerHandle | None = None

    def tell(self) -> None:
        """There is more."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(self._gather_s, self._wake)

    def _wake(self) -> None:
        self._soon = None
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, limit_s: float) -> None:
        """Until there is more, or so long."""
        try:
            await asyncio.wait_for(self._event.wait(), limit_s)
        except TimeoutError:
            return


class Intake:
    """Keeps the record."""

    def __init__(
        self,
        new_feed: Callable[[], RecordFeed],
        keeping: RecordKeeping,
        store: RecordStore,
        arrivals: Arrivals,
        meter: LearningMeter,
        *,
        again_s: float = AGAIN_S,
    ) -> None:
        self._new_feed = new_feed
        self._keeping = keeping
        self._store = store
        self._arrivals = arrivals
        self._meter = meter
        self._again_s = again_s
        self._orders: list[AnyRecord] = []

    async def run(self) -> None:
        """Keep what comes, for ever; after an outage from where it was."""
        while True:
            try:
                await self._keep_all()
            except Exception as error:
                self._meter.errors.count("internal")
                log.warning(
                    "record is read again from what is kept",
                    error=f"{type(error).__name__}: {error}"[:300],
                )
                await asyncio.sleep(self._again_s)

    async def _keep_all(self) -> None:
        last = await self._store.last()
        await self._keeping.lift(last)
        self._orders = [one.item for one in await self._store.orders()]
        feed = self._new_feed()
        await feed.start(last)
        try:
            while True:
                items = await feed.take(AT_ONCE, WAIT_S)
                if items:
                    await self.keep(items)
        finally:
            await feed.close()

    async def keep(self, items: Sequence[Placed]) -> None:
        """Keep some items, which follow what is kept."""
        waiting: list[Placed] = []
        for one in items:
            if isinstance(one.item, Forget):
                await self._put(waiting)
                waiting = []
                await self._obey(one.item, one.place)
                self._orders.append(one.item)
            if not is_forgotten(one.item, self._orders):
                waiting.append(one)
        await self._put(waiting)
        self._arrivals.tell()

    async def _put(self, items: Sequence[Placed]) -> None:
        if items:
            new = await self._store.put(items)
            self._meter.kept(len(new), len(items) - len(new))

    async def _obey(self, order: Forget, place: int) -> None:
        on_its_way = await self._keeping.erase(order, place)
        kept = await self._store.remove(order, place)
        self._meter.forgotten.inc(on_its_way + kept)
        log.info("forgot", order=order.id, by=order.by, on_its_way=on_its_way, kept=kept)


def is_forgotten(item: AnyRecord, orders: Sequence[AnyRecord]) -> bool:
    """True for a step's command that somebody ordered to be forgotten since it ran."""
    return (
        isinstance(item, RecordedCommand)
        and item.source == "step"
        and any(
            isinstance(order, Forget) and order.at_ms >= item.at_ms and order.means(item)
            for order in orders
        )
    )
