"""Builds the executor out of its parts: the only place where adapters are made."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

import structlog

from services.executor.bootstrap_hive import hive_over, responder_for, start_desk
from services.executor.captures.found import Limits
from services.executor.captures.kept import Kept
from services.executor.captures.taking import Taker
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.running_records import RunningRecords
from services.executor.coordinator.actors import Actors
from services.executor.coordinator.automations import Automations
from services.executor.coordinator.backlog_gauges import BacklogGauges
from services.executor.coordinator.capture_keeping import CaptureKeeper
from services.executor.coordinator.concurrency_keys import ConcurrencyKeys
from services.executor.coordinator.coordinator import Coordinator
from services.executor.coordinator.housekeeping import LEASE, Housekeeper, Rules
from services.executor.coordinator.orphans import Orphans
from services.executor.coordinator.programs import Programs
from services.executor.coordinator.rollbacks import Rollbacks
from services.executor.coordinator.sampler import Sampler
from services.executor.coordinator.sole import Sole
from services.executor.leftovers import stop_leftovers
from services.executor.placement import LiveAgents
from services.executor.policy import Allowed, Policy, default_policy, load_policy
from services.executor.prechecks import Prechecks
from services.executor.runner.announcer import AgentIdentity, Announcer
from services.executor.runner.attempt import WORK, Workbench
from services.executor.runner.runner import Runner
from services.executor.secrets.bootstrap import vault_of
from services.executor.settings import Durability, ExecutorSettings, Role
from shared.adapters.mongo.actors import (
    MongoAutomationStore,
    MongoKeyStateStore,
    MongoRollbackStore,
)
from shared.adapters.mongo.archive import MongoArchive
from shared.adapters.mongo.archiving import MongoArchiving
from shared.adapters.mongo.backlog import MongoBacklog
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.adapters.mongo.quarantine import MongoQuarantine
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.captures import NatsCaptures, set_room
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.effects import NatsEffects
from shared.adapters.nats.journal import NatsJournal, NatsJournalReader
from shared.adapters.nats.leases import NatsLeases
from shared.adapters.nats.log_sink import NatsLogSink
from shared.adapters.nats.orders import NatsOrders
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.samples import NatsBusSamples
from shared.adapters.nats.streams import await_streams, ensure_streams
from shared.adapters.nats.task_pools import NatsTaskPools
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.runtime.clock import SystemClock
from shared.runtime.health import Probe
from shared.runtime.lifecycle import close_all, done_before, run_service, until_stopped
from shared.runtime.logging import configure_logging
from shared.runtime.meters import (
    BacklogMeter,
    CoordinatorMeter,
    ErrorMeter,
    HousekeepingMeter,
    RunnerMeter,
    new_registry,
)
from shared.runtime.metrics_server import MetricsServer
from shared.runtime.sealing import Sealer, key_from_file
from shared.runtime.settings import load_settings
from shared.version import VERSION

log = structlog.get_logger()

Closer = Callable[[], Awaitable[None]]


def main() -> None:
    """Run one executor process until it is told to stop."""
    settings = load_settings(ExecutorSettings)
    configure_logging("executor", form=settings.log_format, level=settings.log_level)
    run_service(lambda stop: serve(settings, stop))


async def serve(settings: ExecutorSettings, stop: asyncio.Event) -> None:
    """Everything from connecting to the last goodbye."""
    bus = await connect(settings.nats_url, f"executor {settings.agent_name}")
    if not await _streams_are_there(settings, bus, stop):
        await bus.close()
        return
    publisher = Publisher(bus, grouped=settings.durability is Durability.SAFE)
    await publisher.start()
    loops: list[asyncio.Task[None]] = []
    closers: list[Closer] = [publisher.close, bus.close]
    catalog = CommandCatalog.installed()
    registry = new_registry("executor", VERSION)
    errors = ErrorMeter(registry)
    probes: dict[str, Probe] = {"nats": bus.probe}
    try:
        if settings.role in (Role.COORDINATOR, Role.BOTH):
            mongo = Mongo(settings.mongo_url, journaled=settings.durability is Durability.SAFE)
            closers[:0] = [mongo.close]
            probes["mongo"] = mongo.ping
            meter = CoordinatorMeter(registry, errors)
            closers[:0] = await _start_coordinator(
                settings, bus, mongo, publisher, catalog.registry, meter, loops
            )
            closers[:0] = await _start_housekeeping(
                settings, bus, mongo, HousekeepingMeter(registry, errors)
            )
            gauges = BacklogGauges(
                MongoBacklog(mongo),
                MongoRollbackStore(mongo),
                SystemClock(),
                BacklogMeter(registry),
                errors,
            )
            await gauges.start()
            closers[:0] = [gauges.close]
        if settings.role in (Role.RUNNER, Role.BOTH):
            runner_meter = RunnerMeter(registry, errors, catalog, settings.agent_slots)
            closers[:0] = await _start_runner(
                settings, bus, publisher, catalog, runner_meter, loops
            )
        server = MetricsServer(
            registry, host=settings.metrics_host, port=settings.metrics_port, probes=probes
        )
        await server.start()
        closers.append(server.stop)
        log.info("executor runs", agent=settings.agent_name, role=settings.role.value)
        await until_stopped(stop, loops)
    finally:
        await close_all(*closers)


async def _streams_are_there(settings: ExecutorSettings, bus: Bus, stop: asyncio.Event) -> bool:
    """Make the streams, or as a runner wait for them; false when told to stop meanwhile."""
    if settings.role is not Role.RUNNER:
        await ensure_streams(bus, replicas=settings.replicas)
        await set_room(bus, settings.capture_store_bytes)
        return True
    return await done_before(stop, await_streams(bus))


async def _start_coordinator(
    settings: ExecutorSettings,
    bus: Bus,
    mongo: Mongo,
    publisher: Publisher,
    registry: CommandRegistry,
    meter: CoordinatorMeter,
    loops: list[asyncio.Task[None]],
) -> list[Closer]:
    store = MongoExecutionStore(mongo)
    await store.ensure_indexes()
    automations, keys = MongoAutomationStore(mongo), MongoKeyStateStore(mongo)
    rollbacks = MongoRollbackStore(mongo)
    for actor_store in (automations, keys, rollbacks):
        await actor_store.ensure_indexes()
    await MongoArchiving(mongo).ensure_indexes()
    agents = LiveAgents(NatsAgentDirectory(bus))
    await agents.start()
    effects, templates = NatsEffects(bus, publisher), MongoTemplateStore(mongo)
    coordinator = Coordinator(
        owner=settings.owner,
        reader=NatsJournalReader(bus, settings.owner),
        effects=effects,
        store=store,
        programs=Programs(templates, signatures(registry)),
        leases=NatsLeases(bus),
        agents=lambda: agents.now,
        meter=meter,
        actors=Actors(
            Automations(automations, templates, effects, meter),
            ConcurrencyKeys(keys, effects),
            Rollbacks(rollbacks, effects),
        ),
    )
    sampler = Sampler(NatsBusSamples(bus), coordinator, agents, lambda: publisher.pending, meter)
    await NatsOrders(bus).answer_claims(coordinator.answer_claim)
    await coordinator.start()
    loops += coordinator.loops
    await sampler.start()
    orphans = Orphans(
        NatsTaskPools(bus), NatsJournal(publisher), NatsOrders(bus), lambda: agents.now
    )
    await orphans.start()
    desk = await start_desk(bus, mongo, publisher, store)
    return [*desk, orphans.close, sampler.close, coordinator.close, agents.close]


async def _start_housekeeping(
    settings: ExecutorSettings, bus: Bus, mongo: Mongo, meter: HousekeepingMeter
) -> list[Closer]:
    sole = Sole(NatsLeases(bus), LEASE, settings.owner)
    captures = CaptureKeeper(
        captures=NatsCaptures(bus),
        store=MongoExecutionStore(mongo),
        archive=MongoArchive(mongo),
        clock=SystemClock(),
        keep_days=settings.capture_keep_days,
        meter=meter,
    )
    keeper = Housekeeper(
        archiving=MongoArchiving(mongo),
        captures=captures,
        quarantine=MongoQuarantine(mongo),
        templates=MongoTemplateStore(mongo),
        clock=SystemClock(),
        rules=Rules(
            keep_days=settings.retention_keep_days,
            keep_last=settings.retention_keep_last,
            archive_days=settings.retention_archive_days,
            settle_s=settings.retention_settle_s,
            every_s=settings.retention_every_s,
        ),
        meter=meter,
        mine=lambda: sole.held,
    )
    await sole.start()
    await keeper.start()
    return [keeper.close, sole.close]


async def _start_runner(
    settings: ExecutorSettings,
    bus: Bus,
    publisher: Publisher,
    catalog: CommandCatalog,
    meter: RunnerMeter,
    loops: list[asyncio.Task[None]],
) -> list[Closer]:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy, clock, hive = _policy(settings), SystemClock(), hive_over(bus)
    running = RunningRecords(settings.data_dir / "running")
    await stop_leftovers(running, settings.data_dir / WORK)
    key = key_from_file(settings.home / "seal.key")
    workbench = Workbench(
        agent=settings.agent_name,
        host=socket.gethostname(),
        clock=clock,
        commands=catalog,
        policy=policy,
        sealer=Sealer(key),
        vault=vault_of(settings, policy, os.environ),
        data_dir=settings.data_dir,
        output_limit_bytes=settings.output_limit_bytes,
        hive=hive,
        running=running,
        taker=_taker(settings, bus, catalog, key, meter),
    )
    capabilities = _capabilities(settings, catalog.registry, policy)
    feed = NatsTaskFeed(bus, settings.agent_name, capabilities, slots=settings.agent_slots)
    runner = Runner(
        workbench=workbench,
        feed=feed,
        journal=NatsJournal(publisher),
        orders=NatsOrders(bus),
        logs=NatsLogSink(bus),
        slots=settings.agent_slots,
        meter=meter,
    )
    announcer = Announcer(
        directory=NatsAgentDirectory(bus),
        runner=runner,
        clock=clock,
        identity=AgentIdentity(
            settings.agent_name,
            VERSION,
            settings.agent_labels,
            capabilities,
            settings.agent_slots,
        ),
        data_dir=settings.data_dir,
    )
    responder = responder_for(
        settings.agent_name,
        bus,
        hive,
        settings.data_dir,
        announcer.record,
        Prechecks(policy, workbench.vault, clock),
    )
    await responder.start()
    await runner.start()
    loops += runner.loops
    await feed.start()
    await announcer.start()
    return [
        announcer.leaving,
        lambda: runner.close(settings.shutdown_grace_s),
        announcer.close,
        responder.close,
    ]


def _taker(
    settings: ExecutorSettings, bus: Bus, catalog: CommandCatalog, key: bytes, meter: RunnerMeter
) -> Taker:
    """What keeps the state before steps; contents are sealed with the agents' key."""
    return Taker(
        kept=Kept(NatsCaptures(bus), key),
        commands=catalog,
        limits=Limits(settings.capture_file_bytes, settings.capture_bytes),
        clock=SystemClock(),
        host=socket.gethostname(),
        meter=meter.captures,
    )


def _policy(settings: ExecutorSettings) -> Policy:
    if settings.agent_policy is None:
        return default_policy(settings.data_dir)
    return load_policy(settings.agent_policy, settings.data_dir)


def _capabilities(
    settings: ExecutorSettings, registry: CommandRegistry, policy: Policy
) -> tuple[str, ...]:
    """Those that were set, and those of every command that the policy lets this agent run."""
    allowed = [s for n, s in registry.items() if isinstance(policy.command(n), Allowed)]
    return tuple(
        sorted({*settings.agent_capabilities, *(c for s in allowed for c in s.capabilities)})
    )
