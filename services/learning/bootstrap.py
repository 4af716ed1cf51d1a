"""Builds the learning service out of its parts: the only place where adapters are made."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence

import structlog

import services.learning.threads  # noqa: F401 - before numpy
from services.learning import analytics
from services.learning.backfill import Backfill
from services.learning.deriving import FEED, Deriver, RunFollower
from services.learning.desk import Desk, Parts
from services.learning.housekeeping import Housekeeping
from services.learning.intake import Arrivals, Intake
from services.learning.keeping_up import ModelKeeper, Saving
from services.learning.mining import Miner, MiningPorts
from services.learning.models import models_of
from services.learning.outcome_folds import OUTCOME_MODELS
from services.learning.outcomes import OutcomeWriter
from services.learning.pace import Pace, Spare
from services.learning.reading import EndedRuns
from services.learning.settings import LearningSettings
from services.learning.standing import Standing
from services.learning.tail import RecordTail
from shared.adapters.mongo.archive import MongoArchive
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.ended import MongoEndedExecutions
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.memories import MongoMemories
from shared.adapters.mongo.outcomes import MongoOutcomeViews
from shared.adapters.mongo.proposals import MongoProposals
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.mongo.recording import MongoRecordingChoices
from shared.adapters.mongo.snapshots import MongoSnapshots
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.durable_events import NatsEventFeed
from shared.adapters.nats.events import NatsEventSink
from shared.adapters.nats.leases import NatsLeases
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordFeed, NatsRecordKeeping, NatsRecordSink
from shared.adapters.nats.rpc import RpcService
from shared.adapters.nats.streams import await_learning_streams
from shared.collective.announcing import AnnouncedMemories
from shared.collective.insights import InsightDesk
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts import rpc
from shared.learning.fold import Fold
from shared.ports.clock import Clock
from shared.ports.record import RecordStore
from shared.runtime.clock import SystemClock
from shared.runtime.health import Probe
from shared.runtime.learning_meter import LearningMeter
from shared.runtime.lifecycle import Service, close_all, done_before, run_service, until_stopped
from shared.runtime.logging import configure_logging
from shared.runtime.meters import ErrorMeter, new_registry
from shared.runtime.metrics_server import MetricsServer
from shared.runtime.settings import load_settings
from shared.tuning.desk import TuningDesk
from shared.version import VERSION

log = structlog.get_logger()

Closer = Callable[[], Awaitable[None]]
Models = Sequence[Callable[[], Fold]]


def main() -> None:
    """Run one learning service until it is told to stop."""
    run_service(service())


def service() -> Service:
    """The service, with its settings read from the environment as it is now."""
    settings = load_settings(LearningSettings)
    configure_logging("learning", form=settings.log_format, level=settings.log_level)
    return lambda stop: serve(settings, stop)


async def serve(settings: LearningSettings, stop: asyncio.Event) -> None:
    """Everything from connecting to the last goodbye."""
    models = models_of(settings)
    bus = await connect(settings.nats_url, "learning")
    closers: list[Closer] = [bus.close]
    try:
        if not await done_before(stop, await_learning_streams(bus)):
            return
        safe = settings.durability == "safe"
        mongo = Mongo(settings.mongo_url, journaled=safe)
        publisher = Publisher(bus, grouped=safe)
        await publisher.start()
        closers[:0] = [publisher.close, mongo.close]
        await MongoRecordStore(mongo).ensure_indexes()
        await MongoSnapshots(mongo).ensure_indexes()
        await analytics.ensure_indexes(mongo)
        await MongoProposals(mongo).ensure_indexes()
        await MongoOutcomeViews(mongo).ensure_indexes()
        registry = new_registry("learning", VERSION)
        meter = LearningMeter(registry, ErrorMeter(registry), [make().name for make in models])
        probes: dict[str, Probe] = {"nats": bus.probe, "mongo": mongo.ping}
        server = MetricsServer(
            registry, host=settings.metrics_host, port=settings.metrics_port, probes=probes
        )
        await server.start()
        closers.append(server.stop)
        standing = _standing(settings, bus, mongo, publisher, meter, models)
        loop = asyncio.create_task(standing.run(), name="learning")
        closers[:0] = [lambda: _ended(loop)]
        log.info("learning service runs")
        await until_stopped(stop, [loop])
    finally:
        await close_all(*closers)


def _standing(
    settings: LearningSettings,
    bus: Bus,
    mongo: Mongo,
    publisher: Publisher,
    meter: LearningMeter,
    models: Models,
) -> Standing:
    owner = f"{socket.gethostname()}.{os.getpid()}"

    async def work() -> None:
        pace = Pace(settings.learning_share)
        desk = _desk(settings, owner, bus, mongo, publisher, pace, meter, models)
        endpoints = await _endpoints(bus, desk)
        meter.active.set(1)
        try:
            await desk.run()
        finally:
            meter.active.set(0)
            pace.close()
            await endpoints()

    return Standing(NatsLeases(bus), owner, work)


def _desk(
    settings: LearningSettings,
    owner: str,
    bus: Bus,
    mongo: Mongo,
    publisher: Publisher,
    pace: Pace,
    meter: LearningMeter,
    models: Models,
) -> Desk:
    clock, arrivals = SystemClock(), Arrivals()
    store, snapshots = RecordTail(MongoRecordStore(mongo)), MongoSnapshots(mongo)
    runs = EndedRuns(
        MongoExecutionQueries(mongo),
        MongoArchive(mongo),
        MongoTemplateStore(mongo),
        signatures(CommandRegistry.installed()),
    )
    deriver = Deriver(runs, store, NatsRecordSink(publisher), MongoRecordingChoices(mongo), pace)
    saving = Saving(settings.learning_snapshot_s, settings.learning_snapshots)
    keepers = [
        ModelKeeper(make, store, snapshots, arrivals, pace, clock, meter, saving) for make in models
    ]
    parts = Parts(
        intake=Intake(lambda: NatsRecordFeed(bus), NatsRecordKeeping(bus), store, arrivals, meter),
        follower=RunFollower(
            NatsEventFeed(bus, FEED), runs, deriver, clock, meter, is_short=Spare().is_short
        ),
        keepers=keepers,
        housekeeping=Housekeeping(
            store,
            snapshots,
            {
                "command": settings.learning_keep_commands_days,
                "feedback": settings.learning_keep_commands_days,
                "run": settings.learning_keep_runs_days,
                "rollback": settings.learning_keep_runs_days,
            },
            {one.name: one.fold.version for one in keepers},
            clock,
            meter,
        ),
        backfill=Backfill(MongoEndedExecutions(mongo), runs, deriver, store, meter),
        beside={
            "mining": _mining(settings, store, mongo, publisher, clock, meter),
            "outcomes": _outcomes(keepers, mongo, publisher, pace, clock, meter),
            **analytics.of_runs(settings, mongo, store, keepers, pace, clock, meter.writing),
        },
    )
    return Desk(owner, parts, store, pace, clock, meter)


def _mining(
    settings: LearningSettings,
    store: RecordStore,
    mongo: Mongo,
    publisher: Publisher,
    clock: Clock,
    meter: LearningMeter,
) -> Miner:
    proposals, templates = MongoProposals(mongo), MongoTemplateStore(mongo)
    ports = MiningPorts(store, proposals, templates, clock, _telling(mongo, publisher, clock))
    return Miner(ports, CommandRegistry.installed(), settings.learning_mine_s, meter.mining)


def _outcomes(
    keepers: Sequence[ModelKeeper],
    mongo: Mongo,
    publisher: Publisher,
    pace: Pace,
    clock: Clock,
    meter: LearningMeter,
) -> OutcomeWriter:
    views, templates = MongoOutcomeViews(mongo), MongoTemplateStore(mongo)
    known = signatures(CommandRegistry.installed())

    mine = [one for one in keepers if one.name in OUTCOME_MODELS]

    def folds() -> Sequence[Fold] | None:
        return None if any(one.rebuilding for one in mine) else [one.fold for one in mine]

    return OutcomeWriter(
        folds,
        views,
        templates,
        TuningDesk(views, templates, known),
        _telling(mongo, publisher, clock),
        pace,
        clock,
        meter.writing.of("outcomes"),
    )


def _telling(mongo: Mongo, publisher: Publisher, clock: Clock) -> InsightDesk:
    sink = NatsEventSink(publisher)
    memories = AnnouncedMemories(MongoMemories(mongo), sink, clock)
    return InsightDesk(MongoOutcomeViews(mongo), memories, sink)


async def _endpoints(bus: Bus, desk: Desk) -> Closer:
    """Only the service that works answers."""
    service = RpcService(bus, "learning", VERSION)
    await service.start()
    await service.serve(rpc.LEARNING_STATUS, desk.status)
    await service.serve(rpc.LEARNING_REBUILD, desk.rebuild)
    await service.serve(rpc.LEARNING_BACKFILL, desk.backfill)
    await service.serve(rpc.LEARNING_MEANT_LINES, desk.meant_lines)
    return service.close


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
