"""The learning service that works, as one thing: its parts, and what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol

import structlog

from services.learning.backfill import Backfill
from services.learning.deriving import RunFollower
from services.learning.housekeeping import Housekeeping
from services.learning.intake import Intake
from services.learning.keeping_up import ModelKeeper
from services.learning.meant_lines import meant_lines
from services.learning.pace import Pace
from shared.contracts.learning import (
    BackfillOrder,
    BackfillStatus,
    LearningStatus,
    MeantLines,
    MeantLinesQuestion,
    ModelStatus,
    RebuildOrder,
)
from shared.contracts.rpc import Nothing
from shared.ports.clock import Clock
from shared.ports.collective import ConflictError, NotFoundError
from shared.ports.record import RecordStore
from shared.runtime.endings import end
from shared.runtime.learning_meter import LearningMeter

log = structlog.get_logger()

MEASURE_S: Final = 5.0


class Beside(Protocol):
    """Something that works while this service is the active one."""

    async def run(self) -> None:
        """Work until cancelled; after an outage go on."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What works while this service is the active one."""

    intake: Intake
    follower: RunFollower
    keepers: Sequence[ModelKeeper]
    housekeeping: Housekeeping
    backfill: Backfill
    beside: Mapping[str, Beside] = field(default_factory=dict)
    """What works with the models or the record, by name; none of them ends by itself."""


class Desk:
    """Runs the parts, measures them, and answers."""

    def __init__(
        self,
        owner: str,
        parts: Parts,
        store: RecordStore,
        pace: Pace,
        clock: Clock,
        meter: LearningMeter,
    ) -> None:
        self._owner = owner
        self._parts = parts
        self._store = store
        self._pace = pace
        self._clock = clock
        self._meter = meter
        self._since_ms = clock.now_ms()
        self._begun_s = pace.spent_s

    async def run(self) -> None:
        """Work until cancelled. Raises what a part raises: none of them ends by itself."""
        parts = self._parts
        keepers = {f"model-{one.name}": one.run() for one in parts.keepers}
        loops = {
            "intake": parts.intake.run(),
            "runs": parts.follower.run(),
            "housekeeping": parts.housekeeping.run(),
            "measuring": self._measure(),
            **keepers,
            **{name: one.run() for name, one in parts.beside.items()},
        }
        tasks = [asyncio.create_task(loop, name=name) for name, loop in loops.items()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end((*tasks, parts.backfill.task))

    async def status(self, _question: Nothing) -> LearningStatus:
        """How it stands now."""
        return LearningStatus(
            owner=self._owner,
            active_since_ms=self._since_ms,
            kept=await self._store.count(),
            last_place=await self._store.last(),
            busy_s=round(self._pace.spent_s - self._begun_s, 3),
            models=tuple([await self._model(one) for one in self._parts.keepers]),
            backfill=BackfillStatus(**asdict(self._parts.backfill.progress)),
        )

    async def rebuild(self, order: RebuildOrder) -> LearningStatus:
        """Begin to rebuild a model, or all. Raises `NotFoundError`."""
        keepers = [one for one in self._parts.keepers if order.model in {"", one.name}]
        if not keepers:
            names = ", ".join(one.name for one in self._parts.keepers)
            raise NotFoundError(f"there is no model {order.model!r}; there are {names}")
        for one in keepers:
            one.order_rebuild()
        return await self.status(Nothing())

    async def backfill(self, _order: BackfillOrder) -> LearningStatus:
        """Begin to add what the record does not know. Raises `ConflictError`."""
        if not self._parts.backfill.start(self._parts.housekeeping.kept_since_ms("run")):
            raise ConflictError("a backfill is under way; `hv learning status` tells how far it is")
        return await self.status(Nothing())

    async def meant_lines(self, question: MeantLinesQuestion) -> MeantLines:
        """What a pattern means of what is kept. Raises `InvalidRequestError`."""
        return await meant_lines(self._store, question)

    async def _model(self, keeper: ModelKeeper) -> ModelStatus:
        behind = await self._store.count(keeper.now.place)
        now = keeper.now  # after the wait: all of one moment
        saved = now.saved
        return ModelStatus(
            name=keeper.name,
            version=keeper.fold.version,
            place=now.place,
            items=now.items,
            behind=behind,
            skipped=now.skipped,
            missing=now.missing,
            rebuilding=keeper.rebuilding,
            snapshot_at_ms=saved.at_ms if saved is not None else 0,
            snapshot_bytes=saved.size if saved is not None else 0,
        )

    async def _measure(self) -> None:
        counted = self._pace.spent_s
        while True:
            try:
                for one in self._parts.keepers:
                    behind = await self._store.count(one.now.place)
                    self._meter.behind(one.name, behind, one.behind_s if behind else 0.0)
                    self._meter.stands(one.name, one.now.missing, one.rebuilding_s)
            except Exception as error:
                self._meter.errors.count("internal")
                log.warning("not measured how far models are", error=str(error))
            spent = self._pace.spent_s
            self._meter.busy.inc(spent - counted)
            counted = spent
            await asyncio.sleep(MEASURE_S)
