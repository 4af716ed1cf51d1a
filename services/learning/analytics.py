"""What is made of runs for others to read: tables of analytics, and memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.learning.desk import Beside
from services.learning.keeping_up import ModelKeeper
from services.learning.pace import Pace
from services.learning.remembering import RunRememberer
from services.learning.settings import LearningSettings
from services.learning.table_writer import Standing, TableWriter
from services.learning.time_saved import TimeSavedTeller
from shared.adapters.mongo.analytics import MongoAnalyticsStore
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.cursors import MongoCursors
from shared.adapters.mongo.memories import MongoMemories
from shared.analytics.fold import Analytics
from shared.ports.clock import Clock
from shared.ports.record import RecordStore
from shared.runtime.writing_meter import WritingMeter


def of_runs(
    settings: LearningSettings,
    mongo: Mongo,
    store: RecordStore,
    keepers: Sequence[ModelKeeper],
    pace: Pace,
    clock: Clock,
    meter: WritingMeter,
) -> Mapping[str, Beside]:
    """By name."""
    made: dict[str, Beside] = {
        "tables": TableWriter(
            lambda: _standing(keepers),
            MongoAnalyticsStore(mongo),
            pace,
            clock,
            settings.learning_keep_runs_days,
            meter=meter.of("tables"),
        ),
        "time-saved": TimeSavedTeller(lambda: _standing(keepers), pace, clock, meter.saved),
    }
    if settings.learning_memories:
        made["memories"] = RunRememberer(
            store,
            MongoMemories(mongo),
            MongoCursors(mongo),
            clock,
            settings.learning_memories_days,
            meter=meter.of("memories"),
        )
    return made


async def ensure_indexes(mongo: Mongo) -> None:
    """Make the indexes. Idempotent."""
    await MongoAnalyticsStore(mongo).ensure_indexes()
    await MongoMemories(mongo).ensure_indexes()


def _standing(keepers: Sequence[ModelKeeper]) -> Standing | None:
    """The tables as they are now; none while they are being rebuilt."""
    for keeper in keepers:
        fold = keeper.fold
        if isinstance(fold, Analytics) and not keeper.rebuilding:
            return Standing(fold, keeper.now.place)
    return None
