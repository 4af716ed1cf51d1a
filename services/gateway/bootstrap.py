"""Builds the gateway out of its parts: the only place where adapters are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
from fastapi import FastAPI

from services.gateway.app import create_app
from services.gateway.automation.own_events import FEED
from services.gateway.gateway import Gateway
from services.gateway.keys import ensure_admin_key
from services.gateway.parts import (
    AutomationPorts,
    Collective,
    Parts,
    RecordPorts,
    RollbackPorts,
    WebhookPorts,
)
from services.gateway.read_through import ReadThrough
from services.gateway.run_validation import SLOTS
from services.gateway.server import listen, serve_until
from services.gateway.settings import GatewaySettings
from shared.adapters.mongo.actors import (
    MongoAutomationStore,
    MongoKeyStateStore,
    MongoRollbackStore,
)
from shared.adapters.mongo.analytics import MongoAnalyticsStore
from shared.adapters.mongo.archive import MongoArchive
from shared.adapters.mongo.broadcasts import MongoBroadcasts
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.delegations import MongoDelegations
from shared.adapters.mongo.deliveries import MongoDeliveryStore
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.idempotency import MongoIdempotencyStore
from shared.adapters.mongo.keys import MongoKeyStore
from shared.adapters.mongo.memories import MongoMemories
from shared.adapters.mongo.outcomes import MongoOutcomeViews
from shared.adapters.mongo.participants import MongoParticipants
from shared.adapters.mongo.proposals import MongoProposals
from shared.adapters.mongo.quarantine import MongoQuarantine
from shared.adapters.mongo.receivers import MongoReceiverStore
from shared.adapters.mongo.recording import MongoRecordingChoices
from shared.adapters.mongo.rollback_plans import MongoPlanStore
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.mongo.webhooks import MongoWebhookStore
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.control import NatsControl
from shared.adapters.nats.durable_events import NatsEventFeed
from shared.adapters.nats.events import NatsEventSink, NatsEventStream, NatsLogStream
from shared.adapters.nats.journal import NatsJournal
from shared.adapters.nats.learning_desk import RemoteLearningDesk
from shared.adapters.nats.leases import NatsLeases
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordSink
from shared.adapters.nats.rollback_desk import RemoteRollbackDesk
from shared.adapters.nats.samples import NatsBusSamples
from shared.adapters.nats.streams import ensure_streams
from shared.adapters.nats.suggester import NatsSuggester
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.adapters.nats.validator import NatsValidator
from shared.adapters.outages import outage_of
from shared.collective.announcing import (
    AnnouncedBroadcasts,
    AnnouncedDelegations,
    AnnouncedMemories,
)
from shared.commands.registry import CommandRegistry
from shared.contracts import subjects
from shared.ports.clock import Clock
from shared.ports.events import EventSink
from shared.ports.journal import Journal
from shared.runtime.clock import SystemClock, TimeSortedIds
from shared.runtime.health import Probe
from shared.runtime.lifecycle import Service, close_all, run_service
from shared.runtime.logging import configure_logging
from shared.runtime.metrics_server import MetricsServer
from shared.runtime.settings import load_settings
from shared.templates import loader

log = structlog.get_logger()

Closer = Callable[[], Awaitable[None]]


def main() -> None:
    """Run the gateway until it is told to stop."""
    run_service(service())


def service() -> Service:
    """The service, with its settings read from the environment as it is now."""
    settings = load_settings(GatewaySettings)
    configure_logging("gateway", form=settings.log_format, level=settings.log_level)
    return lambda stop: serve(settings, stop)


async def serve(settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Everything from connecting to the last goodbye."""
    listener = listen(settings)
    bus = await connect(settings.nats_url, "gateway")
    mongo = Mongo(settings.mongo_url, journaled=settings.durability == "safe")
    publisher = Publisher(bus, grouped=settings.durability == "safe")
    closers: list[Closer] = [publisher.close, bus.close, mongo.close]
    try:
        await ensure_streams(bus, replicas=settings.replicas)
        await publisher.start()
        parts = await build_parts(bus, mongo, publisher)
        gateway = Gateway.of(parts, settings)
        await prepare(gateway)
        await gateway.start()
        closers.insert(0, gateway.close)
        host, port = listener.getsockname()[:2]
        log.info("gateway listens", url=f"http://{host}:{port}", docs=f"http://{host}:{port}/docs")
        app = create_app(gateway)
        if settings.metrics_port is not None:
            closers.insert(0, await _start_metrics(settings, app, parts))
        await serve_until(stop, app, listener, settings.gateway_grace_s)
    finally:
        listener.close()
        await close_all(*closers)


async def _start_metrics(settings: GatewaySettings, app: FastAPI, parts: Parts) -> Closer:
    """The extra port for metrics; returns what closes it."""
    server = MetricsServer(
        app.state.registry,
        host=settings.metrics_host,
        port=settings.metrics_port or 0,
        probes=parts.probes,
    )
    await server.start()
    return server.stop


async def build_parts(bus: Bus, mongo: Mongo, publisher: Publisher) -> Parts:
    """The ports on NATS and MongoDB, with their indexes made."""
    templates = MongoTemplateStore(mongo)
    archive = MongoArchive(mongo)
    executions, quarantine = MongoExecutionQueries(mongo), MongoQuarantine(mongo)
    keys = MongoKeyStore(mongo)
    idempotency, deliveries = MongoIdempotencyStore(mongo), MongoDeliveryStore(mongo)
    automations, slots = MongoAutomationStore(mongo), MongoKeyStateStore(mongo)
    rollbacks, plans = MongoRollbackStore(mongo), MongoPlanStore(mongo)
    outcomes, proposals = MongoOutcomeViews(mongo), MongoProposals(mongo)
    await _ensure_indexes(
        [
            templates,
            executions,
            archive,
            quarantine,
            keys,
            idempotency,
            deliveries,
            automations,
            slots,
            rollbacks,
            plans,
            outcomes,
            proposals,
        ]
    )
    journal, sink, clock = NatsJournal(publisher), NatsEventSink(publisher), SystemClock()
    return Parts(
        journal=journal,
        templates=templates,
        executions=ReadThrough(executions, archive),
        archive=archive,
        quarantine=quarantine,
        events=NatsEventStream(bus),
        sink=sink,
        logs=NatsLogStream(bus),
        keys=keys,
        idempotency=idempotency,
        agents=NatsAgentDirectory(bus),
        leases=NatsLeases(bus),
        samples=NatsBusSamples(bus),
        collective=await _collective(mongo, sink, journal, clock),
        webhooks=WebhookPorts(MongoWebhookStore(mongo), deliveries, NatsEventFeed(bus, "webhooks")),
        automations=AutomationPorts(
            journal, automations, MongoReceiverStore(mongo), NatsEventFeed(bus, FEED)
        ),
        slots=slots,
        rollbacks=RollbackPorts(rollbacks, plans, RemoteRollbackDesk(bus)),
        record=RecordPorts(NatsRecordSink(publisher), MongoRecordingChoices(mongo)),
        outcomes=outcomes,
        proposals=proposals,
        analytics=MongoAnalyticsStore(mongo),
        learning=RemoteLearningDesk(bus),
        control=NatsControl(bus),
        validator=NatsValidator(bus),
        runs_to_validate=NatsTaskFeed(bus, "", (), slots=SLOTS, pools=(subjects.pool_validator(),)),
        suggester=NatsSuggester(bus),
        commands=CommandRegistry.installed(),
        clock=clock,
        ids=TimeSortedIds(),
        probes={"nats": _nats_probe(bus), "mongodb": mongo.ping},
        outage_of=outage_of,
    )


async def _collective(mongo: Mongo, sink: EventSink, journal: Journal, clock: Clock) -> Collective:
    """The collective in MongoDB, which says what happens to it and wakes who waits."""
    memories, broadcasts = MongoMemories(mongo), MongoBroadcasts(mongo)
    delegations = MongoDelegations(mongo)
    await _ensure_indexes([memories, broadcasts, delegations])
    return Collective(
        memories=AnnouncedMemories(memories, sink, clock),
        delegations=AnnouncedDelegations(delegations, sink, journal),
        broadcasts=AnnouncedBroadcasts(broadcasts, sink, clock),
        participants=MongoParticipants(mongo),
    )


async def prepare(gateway: Gateway) -> None:
    """What a first start needs: an admin key, and the templates that come with the product."""
    await ensure_admin_key(gateway.keys, gateway.settings.home / "admin.key")
    await gateway.templates.install(loader.builtin())


class _Indexed(Protocol):
    async def ensure_indexes(self) -> None: ...


async def _ensure_indexes(stores: Sequence[_Indexed]) -> None:
    for store in stores:
        await store.ensure_indexes()


def _nats_probe(bus: Bus) -> Probe:
    async def ask() -> None:
        await bus.jetstream.account_info()

    return ask
