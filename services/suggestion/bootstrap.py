"""Builds the suggestion service out of its parts: the only place where adapters are made."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Final

# Before numpy is loaded: a product of small matrices is slower on two threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import structlog

from services.suggestion.service import Sources, SuggestionService
from services.suggestion.settings import SuggestionSettings
from shared.adapters.models.minilm import ModelUnreadableError, installed_model
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.mongo.snapshots import MongoSnapshots
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.mongo.text_models import MongoTextModels
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.events import NatsEventSink
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordFeed
from shared.adapters.nats.rpc import RpcService
from shared.adapters.nats.streams import await_streams
from shared.contracts import rpc
from shared.ports.embedder import Embedder
from shared.runtime.clock import SystemClock, TimeSortedIds
from shared.runtime.health import Probe
from shared.runtime.lifecycle import Service, close_all, done_before, run_service, until_stopped
from shared.runtime.logging import configure_logging
from shared.runtime.meters import ErrorMeter, new_registry
from shared.runtime.metrics_server import MetricsServer
from shared.runtime.settings import load_settings
from shared.runtime.suggestion_meter import SuggestionMeter
from shared.version import VERSION

log = structlog.get_logger()

SERVICE = "suggestion"
AT_ONCE = 64
"""Questions that are answered side by side: what is in memory does not wait for a text."""

Closer = Callable[[], Awaitable[None]]


def main() -> None:
    """Run one suggestion process until it is told to stop."""
    run_service(service())


def service() -> Service:
    """The service, with its settings read from the environment as it is now."""
    settings = load_settings(SuggestionSettings)
    configure_logging(SERVICE, form=settings.log_format, level=settings.log_level)
    return lambda stop: serve(settings, stop)


SWITCH_S: Final = 0.0005
"""For how long one thread computes while another waits: an answer is computed in less time than
Python's usual 5 ms, and would wait for that long each time a thread beside it is busy."""


async def serve(settings: SuggestionSettings, stop: asyncio.Event) -> None:
    """Everything from connecting to the last goodbye."""
    sys.setswitchinterval(SWITCH_S)
    bus = await connect(settings.nats_url, SERVICE)
    mongo = Mongo(settings.mongo_url)
    closers: list[Closer] = [mongo.close, bus.close]
    registry = new_registry(SERVICE, VERSION)
    meter = SuggestionMeter(registry, ErrorMeter(registry))
    probes: dict[str, Probe] = {"nats": bus.probe, "mongo": mongo.ping}
    try:
        if not await done_before(stop, await_streams(bus)):
            return
        publisher = Publisher(bus, grouped=False)
        await publisher.start()
        closers[:0] = [publisher.close]
        made = SuggestionService(
            sources_over(bus, mongo, publisher),
            _embedder(),
            settings.suggestion_refresh_s,
            settings.suggestion_agents_s,
            settings.suggestion_offers_per_h,
            meter,
        )
        await MongoTextModels(mongo).ensure_indexes()
        made.start()
        closers[:0] = [made.close]
        closers[:0] = [await _endpoints(bus, made, meter)]
        server = MetricsServer(
            registry, host=settings.metrics_host, port=settings.metrics_port, probes=probes
        )
        await server.start()
        closers.append(server.stop)
        log.info("suggestion service runs")
        await until_stopped(stop, made.tasks)
    finally:
        await close_all(*closers)


def sources_over(bus: Bus, mongo: Mongo, publisher: Publisher) -> Sources:
    """What the service reads, on real servers."""
    return Sources(
        templates=MongoTemplateStore(mongo),
        agents=NatsAgentDirectory(bus),
        feed=NatsRecordFeed(bus),
        record=MongoRecordStore(mongo),
        snapshots=MongoSnapshots(mongo),
        text_models=MongoTextModels(mongo),
        events=NatsEventSink(publisher),
        clock=SystemClock(),
        ids=TimeSortedIds(),
    )


def _embedder() -> Embedder | None:
    try:
        return installed_model()
    except ModelUnreadableError as error:
        log.warning("text model not used; words and cues alone remain", error=str(error))
        return None


async def _endpoints(bus: Bus, made: SuggestionService, meter: SuggestionMeter) -> Closer:
    service = RpcService(bus, SERVICE, VERSION)
    await service.start()
    suggest, going_on = rpc.SUGGEST, rpc.AUTOCOMPLETE
    await service.serve(suggest, meter.timed(suggest.name, made.suggest), at_once=AT_ONCE)
    await service.serve(going_on, meter.timed(going_on.name, made.autocomplete), at_once=AT_ONCE)
    await service.serve(rpc.NOTICE, meter.timed(rpc.NOTICE.name, made.notice), at_once=AT_ONCE)
    return service.close
