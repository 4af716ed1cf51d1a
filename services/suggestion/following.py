"""Keeps the models up with the record.

The law:

* Each model begins with its latest snapshot, if there is one that it reads, and takes what follows:
  first from the record at rest, then as it grows. An item that a model's snapshot holds already is
  not applied again.
* An item comes once: what was seen lately by its type and id is left out.
* Models are moved on the event loop, an item at a time; between items questions are answered.
* A model that cannot forget exactly is made anew from a snapshot in which the order is obeyed, and
  the record after it. Until one is there the model stays as it is, but what was to be forgotten is
  gone from answers at once: texts of a user from the next-command model, a line by hiding it
  (`hiding`), and all feedback and sessions.
* One model that is made anew obeys all orders up to that of its snapshot; what later ones name is
  gone from it at once, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import structlog

from services.suggestion.models import MAKERS, Models
from services.suggestion.ports import ReadsRecord, ReadsSnapshots
from shared.learning.fold import Fold
from shared.learning.records import AnyRecord, Forget
from shared.ports.record import Placed, RecordFeed

log = structlog.get_logger()

BATCH: Final = 64
WAIT_S: Final = 0.5
AGAIN_S: Final = 2.0
REMEMBERED_IDS: Final = 20_000
LATELY: Final = 5_000
"""Items that are kept as they came: the record at rest may not have them yet."""
REBUILD_LOOK_S: Final = 2.0
"""How often a snapshot is looked for in which an order to forget is obeyed."""

_SLICE_S: Final = 0.002
"""How long items are applied before questions get their turn."""

Heard = Callable[[AnyRecord], None]


class Following:
    """See the module. `heard` is told of every item that is new, as it comes in."""

    def __init__(
        self,
        models: Models,
        feed: RecordFeed,
        record: ReadsRecord,
        snapshots: ReadsSnapshots,
        heard: Heard | None = None,
        *,
        look_s: float = REBUILD_LOOK_S,
    ) -> None:
        self.models = models
        self._feed = feed
        self._record = record
        self._snapshots = snapshots
        self._heard = heard
        self._look_s = look_s
        self._places: dict[str, int] = dict.fromkeys(MAKERS, 0)
        self._orders: dict[str, dict[int, Forget]] = {}
        """Models that must be made anew, with the orders that wait for it, by their places."""
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lately: deque[Placed] = deque(maxlen=LATELY)
        self._tasks: list[asyncio.Task[None]] = []
        self.place = 0
        """Up to which everything was applied."""
        self.ready = asyncio.Event()

    def start(self) -> None:
        """Follow from now on, beside everything else."""
        self._tasks = [
            asyncio.create_task(self._run(), name="suggestion-follows"),
            asyncio.create_task(self._rebuild(), name="suggestion-rebuilds"),
        ]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs; it never ends by itself."""
        return self._tasks

    async def close(self) -> None:
        """Follow no more."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._feed.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._catch_up()
                break
            except Exception as error:
                log.warning("record not read now", error=str(error) or type(error).__name__)
                await asyncio.sleep(AGAIN_S)
        self.ready.set()
        while True:
            for placed in await self._feed.take(BATCH, WAIT_S):
                if self._is_new(placed):
                    self._lately.append(placed)
                    self._apply(placed)
                    if self._heard is not None:
                        self._heard(placed.item)
                await asyncio.sleep(0)

    async def _catch_up(self) -> None:
        for name in MAKERS:
            found = None if self._places[name] else await self._loaded(name, 0)
            if found is not None:
                fold, self._places[name] = found
                setattr(self.models, name, fold)
        begun = min(self._places.values())
        self.place = begun
        turn = time.monotonic()
        async for placed in self._record.read(begun):
            self._is_new(placed)
            self._apply(placed)
            if time.monotonic() - turn > _SLICE_S:
                await asyncio.sleep(0)
                turn = time.monotonic()
        await self._feed.start(self.place)

    async def _loaded(self, name: str, wanted: int) -> tuple[Fold, int] | None:
        """A model from the latest snapshot in which orders up to `wanted` are obeyed, and the place
        that it holds up to."""
        fold = MAKERS[name]()
        for snapshot in await self._snapshots.find(fold.name):
            if snapshot.version != fold.version or snapshot.forgotten < wanted:
                continue
            data = await self._snapshots.data(snapshot)
            if data is None:
                continue
            try:
                await asyncio.to_thread(fold.load, data)
            except ValueError as error:
                log.warning("snapshot not read", model=fold.name, error=str(error))
                continue
            return fold, snapshot.place
        return None

    def _is_new(self, placed: Placed) -> bool:
        key = (placed.item.type, placed.item.id)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
        return True

    def _apply(self, placed: Placed) -> None:
        for name, fold in self.models.folds.items():
            if placed.place > self._places[name]:
                self._to(name, fold, placed)
        self.place = max(self.place, placed.place)

    def _to(self, name: str, fold: Fold, placed: Placed) -> None:
        try:
            if not isinstance(placed.item, Forget):
                fold.apply(placed.item, placed.place)
            elif not fold.forget(placed.item):
                self._orders.setdefault(name, {})[placed.place] = placed.item
                self._hide(name, placed.item, placed.place)
        except Exception:
            log.exception("item not learned", model=fold.name, place=placed.place)
        self._places[name] = placed.place

    def _hide(self, name: str, order: Forget, place: int) -> None:
        """What is to be forgotten is gone from answers at once."""
        if name == "commands" and order.command:
            self.models.hidden.hide(order, place)
        elif name == "commands":
            self.models.commands.model.forget_user(order.user)
        elif name in ("sessions", "feedback"):
            setattr(self.models, name, MAKERS[name]())

    async def _rebuild(self) -> None:
        """Make models anew for which an order waits."""
        while True:
            await asyncio.sleep(self._look_s)
            for name, orders in list(self._orders.items()):
                try:
                    await self._made_anew(name, max(orders))
                except Exception as error:
                    log.warning("model not made anew now", model=name, error=str(error))

    async def _made_anew(self, name: str, wanted: int) -> None:
        found = await self._loaded(name, wanted)
        if found is None:
            return
        fold, place = found
        async for placed in self._record.read(place):
            place = self._taken(fold, placed)
            await asyncio.sleep(0)
        # From here on nothing else runs until the new model has the old one's place.
        for placed in self._lately:
            if placed.place > place:
                place = self._taken(fold, placed)
        setattr(self.models, name, fold)
        self._places[name] = place
        self._obeyed(name, wanted)

    def _obeyed(self, name: str, upto: int) -> None:
        """The model was made anew and obeys orders up to a place; it is told of later ones."""
        later = {place: one for place, one in self._orders.pop(name, {}).items() if place > upto}
        if name == "commands":
            self.models.hidden.obeyed(upto)
        if later:
            self._orders[name] = later
        for place, order in later.items():
            self._hide(name, order, place)

    def _taken(self, fold: Fold, placed: Placed) -> int:
        """Give an item to a model that is being made; gives its place."""
        try:
            if not isinstance(placed.item, Forget):
                fold.apply(placed.item, placed.place)
        except Exception:
            log.exception("item not learned", model=fold.name, place=placed.place)
        return placed.place
