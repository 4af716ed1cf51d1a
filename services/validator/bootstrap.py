"""Builds the validator out of its parts: the only place where adapters are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.validator.counting import counted
from services.validator.gathering import Gatherer, Patience
from services.validator.library import KeyLibrary
from services.validator.looking import Looking
from services.validator.ports import Sources
from services.validator.settings import ValidatorSettings
from shared.adapters.mongo.actors import MongoAutomationStore
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.keys import MongoKeyStore
from shared.adapters.mongo.outcomes import MongoOutcomeViews
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.control import NatsControl
from shared.adapters.nats.rpc import RpcService
from shared.commands.registry import CommandRegistry
from shared.contracts import rpc
from shared.runtime.clock import SystemClock
from shared.runtime.health import Probe
from shared.runtime.lifecycle import Service, close_all, run_service, until_stopped
from shared.runtime.logging import configure_logging
from shared.runtime.meters import ErrorMeter, ValidatorMeter, new_registry
from shared.runtime.metrics_server import MetricsServer
from shared.runtime.settings import load_settings
from shared.version import VERSION

log = structlog.get_logger()

SERVICE = "validator"
AT_ONCE = 32
"""Questions that are answered side by side: a quick look does not wait for a forecast."""

Closer = Callable[[], Awaitable[None]]


def main() -> None:
    """Run one validator process until it is told to stop."""
    run_service(service())


def service() -> Service:
    """The service, with its settings read from the environment as it is now."""
    settings = load_settings(ValidatorSettings)
    configure_logging(SERVICE, form=settings.log_format, level=settings.log_level)
    return lambda stop: serve(settings, stop)


async def serve(settings: ValidatorSettings, stop: asyncio.Event) -> None:
    """Everything from connecting to the last goodbye."""
    bus = await connect(settings.nats_url, SERVICE)
    mongo = Mongo(settings.mongo_url)
    closers: list[Closer] = [mongo.close, bus.close]
    metrics = new_registry(SERVICE, VERSION)
    meter = ValidatorMeter(metrics, ErrorMeter(metrics))
    probes: dict[str, Probe] = {"nats": bus.probe, "mongo": mongo.ping}
    try:
        commands = CommandRegistry.installed()
        sources = sources_over(bus, mongo)
        library = KeyLibrary(sources.templates, settings.validator_refresh_s)
        patience = Patience(settings.validator_ask_s, settings.validator_probe_s)
        gatherer = Gatherer(sources, commands, library, patience)
        looking = Looking(sources, commands, gatherer, settings.validator_forecasts)
        await library.start()
        closers[:0] = [library.close]
        service = RpcService(bus, SERVICE, VERSION)
        await service.start()
        closers[:0] = [service.close]
        await service.serve(rpc.LOOK, counted(looking.look, meter), at_once=AT_ONCE)
        server = MetricsServer(
            metrics, host=settings.metrics_host, port=settings.metrics_port, probes=probes
        )
        await server.start()
        closers.append(server.stop)
        log.info("validator runs")
        await until_stopped(stop, [])
    finally:
        await close_all(*closers)


def sources_over(bus: Bus, mongo: Mongo) -> Sources:
    """What the validator reads, on real servers."""
    return Sources(
        agents=NatsAgentDirectory(bus),
        control=NatsControl(bus),
        templates=MongoTemplateStore(mongo),
        executions=MongoExecutionQueries(mongo),
        keys=MongoKeyStore(mongo),
        automations=MongoAutomationStore(mongo),
        outcomes=MongoOutcomeViews(mongo),
        clock=SystemClock(),
    )
