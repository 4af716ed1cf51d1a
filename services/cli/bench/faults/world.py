"""What is struck: a cluster, a gateway, coordinators and runners, each a process of its own.

Whatever ends without having been struck is started again, as any supervisor would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from ops.nats.permissions import USER_NAMES
from ops.stack import ports
from ops.stack.cluster import EmbeddedCluster, prepare_cluster
from ops.stack.keeper import Service
from ops.stack.server import Server
from ops.stack.spec import ServerUrls, ServiceSpec, environment

COORDINATORS: Final = 2
RUNNERS: Final = 2
SLOTS: Final = 16
READY_S: Final = 90.0
TEND_S: Final = 0.3

Victim = Server | Service


@dataclass
class FaultWorld:
    """Everything that runs. `struck` are the processes that a strike holds down now."""

    home: Path
    cluster: EmbeddedCluster
    gateway: Service
    coordinators: tuple[Service, ...]
    runners: tuple[Service, ...]
    struck: set[str] = field(default_factory=set)
    restarts: int = 0
    """Processes that ended by themselves and were started again."""

    @property
    def services(self) -> tuple[Service, ...]:
        """Our own processes."""
        return (self.gateway, *self.coordinators, *self.runners)

    @property
    def processes(self) -> tuple[Victim, ...]:
        """Our own and the servers."""
        return (*self.services, *self.cluster.all)

    @property
    def book(self) -> Path:
        """The ledger file."""
        return self.home / "ledger"

    def client(self) -> httpx.AsyncClient:
        """A client of the gateway with the first admin's key."""
        secret = (self.home / "admin.key").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {secret}"}
        url = f"http://{ports.LOOPBACK}:{self.gateway.spec.health_port}"
        return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=20)

    async def tend(self) -> None:
        """Start again what ended without being struck; for ever."""
        while True:
            await asyncio.sleep(TEND_S)
            for victim in self.processes:
                if victim_name(victim) in self.struck or _runs(victim):
                    continue
                self.restarts += 1
                await asyncio.to_thread(victim.start)


def victim_name(victim: Victim) -> str:
    """A name that tells it from the others: servers of one kind share theirs."""
    return victim.log.stem if isinstance(victim, Server) else victim.name


def send(victim: Victim, number: signal.Signals) -> None:
    """Send a signal to a process, if it runs."""
    if victim.child is not None and victim.child.running:
        os.kill(victim.child.pid, number)


@asynccontextmanager
async def fault_world(home: Path) -> AsyncIterator[FaultWorld]:
    """Start everything under `home`, a new folder; kill it all at the end."""
    cluster = prepare_cluster(home / "servers", "relaxed")
    world = _describe(home, cluster)
    try:
        await asyncio.to_thread(cluster.start)
        for service in world.services:
            await asyncio.to_thread(service.start)
        await _ready(world)
        yield world
    finally:
        for victim in world.processes:
            if victim.child is not None:
                await asyncio.to_thread(victim.child.kill)


async def _ready(world: FaultWorld) -> None:
    async with asyncio.timeout(READY_S):
        for service in world.services:
            while not await asyncio.to_thread(service.is_ready):
                if not _runs(service):
                    raise RuntimeError(f"{service.name} ended; its log: {service.log}")
                await asyncio.sleep(TEND_S)


def _runs(victim: Victim) -> bool:
    return victim.child is not None and victim.child.running


def _describe(home: Path, cluster: EmbeddedCluster) -> FaultWorld:
    urls = ServerUrls({user: cluster.nats_url(user) for user in USER_NAMES}, cluster.mongo_url)
    taken: set[int] = set()

    def service(name: str, role: str, **env: str) -> Service:
        port = ports.pick(avoid=taken)
        taken.add(port)
        module = "services.gateway" if role == "gateway" else "services.executor"
        variable = "HIVE_GATEWAY_PORT" if role == "gateway" else "HIVE_METRICS_PORT"
        told = {variable: str(port), **env}
        argv = (sys.executable, "-P", "-m", module)
        spec = ServiceSpec(name, argv, nats_user=role, env=told, health_port=port)
        return Service(spec, environment(spec, urls, str(home), "relaxed"), home / f"{name}.log")

    def executors(role: str, count: int) -> tuple[Service, ...]:
        names = [f"{role}-{number}" for number in range(count)]
        slots = {"HIVE_AGENT_SLOTS": str(SLOTS), "HIVE_ROLE": role}
        return tuple(service(n, role, HIVE_AGENT_NAME=n, **slots) for n in names)

    return FaultWorld(
        home=home,
        cluster=cluster,
        gateway=service("gateway", "gateway"),
        coordinators=executors("coordinator", COORDINATORS),
        runners=executors("runner", RUNNERS),
    )
