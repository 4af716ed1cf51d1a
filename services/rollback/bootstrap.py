"""Builds the rollback service out of its parts: the only place where adapters are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.rollback.desk import Desk
from services.rollback.pasts import Pasts
from services.rollback.settings import RollbackSettings
from services.rollback.worker import Worker
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.rollback_plans import MongoPlanStore
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.captures import NatsCaptures
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.journal import NatsJournal
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.rpc import RpcService
from shared.adapters.nats.streams import await_streams
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.adapters.outages import outage_of
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts import rpc, subjects
from shared.runtime.clock import SystemClock
from shared.runtime.health import Probe
from shared.runtime.lifecycle import Service, close_all, done_before, run_service, until_stopped
from shared.runtime.logging import configure_logging
from shared.runtime.meters import ErrorMeter, RollbackMeter, new_registry
from shared.runtime.metrics_server import MetricsServer
from shared.runtime.settings import load_settings
from shared.version import VERSION

log = structlog.get_logger()

Closer = Callable[[], Awaitable[None]]


def main() -> None:
    """Run one rollback service until it is told to stop."""
    run_service(service())


def service() -> Service:
    """The service, with its settings read from the environment as it is now."""
    settings = load_settings(RollbackSettings)
    configure_logging("rollback", form=settings.log_format, level=settings.log_level)
    return lambda stop: serve(settings, stop)


async def serve(settings: RollbackSettings, stop: asyncio.Event) -> None:
    """Everything from connecting to the last goodbye."""
    bus = await connect(settings.nats_url, "rollback")
    closers: list[Closer] = [bus.close]
    try:
        if not await done_before(stop, await_streams(bus)):
            return
        mongo = Mongo(settings.mongo_url, journaled=settings.durability == "safe")
        publisher = Publisher(bus, grouped=settings.durability == "safe")
        await publisher.start()
        closers[:0] = [publisher.close, mongo.close]
        registry = new_registry("rollback", VERSION)
        desk = await _desk(bus, mongo)
        worker = await _worker(
            settings, bus, publisher, desk, RollbackMeter(registry, ErrorMeter(registry))
        )
        closers[:0] = [worker.close]
        closers[:0] = [await _endpoints(bus, desk)]
        probes: dict[str, Probe] = {"nats": bus.probe, "mongo": mongo.ping}
        server = MetricsServer(
            registry, host=settings.metrics_host, port=settings.metrics_port, probes=probes
        )
        await server.start()
        closers.append(server.stop)
        log.info("rollback service runs")
        await until_stopped(stop, [worker.loop])
    finally:
        await close_all(*closers)


async def _desk(bus: Bus, mongo: Mongo) -> Desk:
    executions, templates = MongoExecutionQueries(mongo), MongoTemplateStore(mongo)
    plans = MongoPlanStore(mongo)
    await plans.ensure_indexes()
    registry = CommandRegistry.installed()
    return Desk(
        pasts=Pasts(executions, templates, NatsCaptures(bus), signatures(registry), SystemClock()),
        executions=executions,
        templates=templates,
        plans=plans,
        registry=registry,
        clock=SystemClock(),
    )


async def _worker(
    settings: RollbackSettings, bus: Bus, publisher: Publisher, desk: Desk, meter: RollbackMeter
) -> Worker:
    slots = settings.rollback_slots
    feed = NatsTaskFeed(bus, "", (), slots=slots, pools=(subjects.pool_rollback(),))
    worker = Worker(feed, NatsJournal(publisher), desk, meter, slots, outage_of)
    await feed.start()
    worker.start()
    return worker


async def _endpoints(bus: Bus, desk: Desk) -> Closer:
    service = RpcService(bus, "rollback", VERSION)
    await service.start()
    await service.serve(rpc.ROLLBACK_PRESENT, _present)
    await service.serve(rpc.ROLLBACK_PREVIEW, desk.preview)
    await service.serve(rpc.ROLLBACK_POINTS, desk.points)
    return service.close


async def _present(_question: rpc.Nothing) -> rpc.Done:
    return rpc.Done(done=True)
