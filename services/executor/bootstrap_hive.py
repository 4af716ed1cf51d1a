"""Builds the executor's part of the hive: the desk beside a coordinator, an agent's answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from services.executor.desk import Collective, DelegationSweep, serve_collective
from services.executor.facts import FactFinder
from services.executor.notifier import FEED, Notifier
from services.executor.prechecks import Prechecks
from services.executor.received import ReceivedBroadcasts
from services.executor.responder import Possessions, Responder
from services.executor.synced import SyncedBundles
from shared.adapters.mongo.broadcasts import MongoBroadcasts
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.delegations import MongoDelegations
from shared.adapters.mongo.memories import MongoMemories
from shared.adapters.mongo.participants import MongoParticipants
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.bundles import NatsBundles
from shared.adapters.nats.collective_client import (
    RemoteBroadcasts,
    RemoteDelegations,
    RemoteMemories,
    RemoteParticipants,
)
from shared.adapters.nats.connection import Bus
from shared.adapters.nats.control import NatsControl, NatsControlSeat
from shared.adapters.nats.durable_events import NatsEventFeed
from shared.adapters.nats.events import NatsEventSink
from shared.adapters.nats.journal import NatsJournal
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.rpc import RpcService
from shared.collective.announcing import (
    AnnouncedBroadcasts,
    AnnouncedDelegations,
    AnnouncedMemories,
)
from shared.contracts.agents import AgentRecord
from shared.ports.hive import Hive
from shared.ports.store import ExecutionStore
from shared.runtime.clock import SystemClock
from shared.version import VERSION

Closer = Callable[[], Awaitable[None]]


async def stored_collective(mongo: Mongo, publisher: Publisher) -> Collective:
    """The collective in MongoDB; it tells what happens to it, and wakes the steps that wait."""
    memories, delegations = MongoMemories(mongo), MongoDelegations(mongo)
    broadcasts = MongoBroadcasts(mongo)
    for store in (memories, delegations, broadcasts):
        await store.ensure_indexes()
    events, journal, clock = NatsEventSink(publisher), NatsJournal(publisher), SystemClock()
    return Collective(
        memories=AnnouncedMemories(memories, events, clock),
        delegations=AnnouncedDelegations(delegations, events, journal),
        broadcasts=AnnouncedBroadcasts(broadcasts, events, clock),
        participants=MongoParticipants(mongo),
    )


async def start_desk(
    bus: Bus, mongo: Mongo, publisher: Publisher, executions: ExecutionStore
) -> list[Closer]:
    """Serve the collective to agents, tidy delegations up, and tell people what ended."""
    collective = await stored_collective(mongo, publisher)
    service = RpcService(bus, "collective", VERSION)
    await service.start()
    await serve_collective(service, collective)
    sweep = DelegationSweep(collective.delegations, executions, SystemClock())
    await sweep.start()
    notifier = Notifier(
        feed=NatsEventFeed(bus, FEED),
        broadcasts=collective.broadcasts,
        agents=NatsAgentDirectory(bus),
        control=NatsControl(bus),
        clock=SystemClock(),
    )
    await notifier.start()
    return [notifier.close, sweep.close, service.close]


def hive_over(bus: Bus) -> Hive:
    """The hive for a process that has only NATS."""
    return Hive(
        agents=NatsAgentDirectory(bus),
        control=NatsControl(bus),
        memories=RemoteMemories(bus),
        delegations=RemoteDelegations(bus),
        broadcasts=RemoteBroadcasts(bus),
        participants=RemoteParticipants(bus),
        bundles=NatsBundles(bus),
        clock=SystemClock(),
    )


def responder_for(
    agent: str,
    bus: Bus,
    hive: Hive,
    data_dir: Path,
    record: Callable[[], AgentRecord],
    prechecks: Prechecks,
) -> Responder:
    """What answers in the name of an agent."""
    return Responder(
        agent=agent,
        record=record,
        seat=NatsControlSeat(bus, agent),
        possessions=Possessions(
            received=ReceivedBroadcasts(data_dir),
            synced=SyncedBundles(data_dir, hive.bundles),
            facts=FactFinder(data_dir),
            prechecks=prechecks,
        ),
        broadcasts=hive.broadcasts,
        bundles=hive.bundles,
        clock=hive.clock,
    )
