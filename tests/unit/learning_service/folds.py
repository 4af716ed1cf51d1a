"""Small models, of which all is seen at a glance, and what runs them in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from services.learning.intake import Arrivals, Intake
from services.learning.keeping_up import ModelKeeper, Saving
from services.learning.pace import Pace
from shared.learning.fold import Fold
from shared.learning.records import AnyRecord, Forget, RecordedCommand
from shared.memory.clock import ManualClock
from shared.memory.record import MemoryRecord, MemoryRecordFeed, MemoryRecordStore
from shared.memory.snapshots import MemorySnapshots
from shared.runtime.learning_meter import LearningMeter
from shared.runtime.meters import ErrorMeter, new_registry


class Lines:
    """Remembers every line with its user, in order; `exact`: forgets by itself."""

    name = "lines"
    personal = True

    def __init__(self, *, exact: bool = False, version: int = 1) -> None:
        self.version = version
        self.exact = exact
        self.seen: list[tuple[int, str, str]] = []

    def apply(self, item: AnyRecord, place: int) -> None:
        if isinstance(item, RecordedCommand):
            if item.command == "poison":
                raise RuntimeError("cannot learn that")
            self.seen.append((place, item.user, item.command))

    def forget(self, order: Forget) -> bool:
        if self.exact:
            self.seen = [one for one in self.seen if not order.means(command(1, one[1], one[2]))]
        return self.exact

    def save(self) -> bytes:
        return json.dumps(self.seen).encode()

    def load(self, data: bytes) -> None:
        self.seen = [(place, user, line) for place, user, line in json.loads(data)]


def command(number: int, user: str = "ann", line: str = "", **others: object) -> RecordedCommand:
    made = {"id": f"c{number}", "at_ms": number, "user": user, "command": line or f"echo {number}"}
    return RecordedCommand.model_validate({**made, **others})


def forget(number: int, user: str = "", line: str = "") -> Forget:
    return Forget(id=f"x{number}", at_ms=number, by="admin", user=user, command=line)


@dataclass
class World:
    """A learning service's parts over memory; what lasts is what a crash leaves."""

    make: Callable[[], Fold] = Lines
    record: MemoryRecord = field(default_factory=MemoryRecord)
    store: MemoryRecordStore = field(default_factory=MemoryRecordStore)
    snapshots: MemorySnapshots = field(default_factory=MemorySnapshots)
    clock: ManualClock = field(default_factory=ManualClock)
    saving: Saving = field(default_factory=lambda: Saving(every_s=3_600, keep=2))

    def __post_init__(self) -> None:
        self.registry: CollectorRegistry = new_registry("learning", "0")
        self.meter = LearningMeter(self.registry, ErrorMeter(self.registry), ["lines"])
        self.arrivals = Arrivals()
        self.intake = Intake(
            lambda: MemoryRecordFeed(self.record),
            self.record,
            self.store,
            self.arrivals,
            self.meter,
            again_s=0.01,
        )

    def keeper(self, make: Callable[[], Fold] | None = None) -> ModelKeeper:
        """A model's keeper, as after a start of the process."""
        return ModelKeeper(
            make or self.make,
            self.store,
            self.snapshots,
            self.arrivals,
            Pace(),
            self.clock,
            self.meter,
            self.saving,
        )

    async def kept(self, *items: AnyRecord) -> None:
        """Add items to the record, and keep what follows what is kept."""
        await self.record.add(items)
        feed = MemoryRecordFeed(self.record)
        await feed.start(await self.store.last())
        await self.intake.keep(await feed.take(10_000, 0.001))

    async def model(self, make: Callable[[], Fold] | None = None) -> ModelKeeper:
        """A keeper that has begun and caught up."""
        keeper = self.keeper(make)
        await keeper.begin()
        await keeper.catch_up()
        return keeper

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0
