"""Rollbacks while processes are killed: afterwards the world is what it was, byte for byte.

A template of six steps on three agents fails at each of its steps in turn, with each strategy that
undoes by itself. All these runs are under way together, while the agents (each of them a
coordinator, too) and the rollback service are killed with -9 and come back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from ops.stack.servers import embedded_servers
from tests.integration.executor.processes import ExecutorProcess, RollbackProcess, ServiceProcess
from tests.integration.gateway_world import open_world
from tests.kill.way_back import (
    AGENTS,
    CHECKPOINT,
    STEPS,
    Ground,
    Service,
    after,
    running_service,
    template,
)

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.timeout(400)]

STRATEGIES: Final = ("immediate", "graceful", "checkpoint")
KILLS: Final = 8
PATIENCE_S: Final = 240.0


@dataclass
class Run:
    """One execution, what it works on, and how that was before."""

    strategy: str
    fail_at: str
    ground: Ground
    before: dict[str, Any]
    execution_id: str = ""


@asynccontextmanager
async def running_world(
    home: Path,
) -> AsyncIterator[tuple[httpx.AsyncClient, list[ServiceProcess]]]:
    """Three agents, a rollback service, and a client of a gateway."""
    with embedded_servers(home / "servers", durability="relaxed") as servers:
        agents = [ExecutorProcess(servers, home, name, agent_slots=16) for name in AGENTS]
        processes: list[ServiceProcess] = [*agents, RollbackProcess(servers, home)]
        async with open_world(servers.nats_url("gateway"), servers.mongo_url, home) as world:
            try:
                await asyncio.gather(*(process.start() for process in processes))
                yield world.client, processes
            finally:
                for process in processes:
                    await process.stop()


async def _begin(client: httpx.AsyncClient, home: Path, service: Service) -> list[Run]:
    runs = []
    for strategy in STRATEGIES:
        made = await client.post("/api/v1/workflows/templates", json=template(strategy))
        assert made.status_code in (200, 201), made.text
        for step in STEPS:
            ground = Ground(home, f"{strategy}-{step}", service)
            runs.append(Run(strategy, step, ground, ground.snapshot()))
    for run in runs:
        body = {
            "template_id": f"way_back_{run.strategy}",
            "parameters": run.ground.parameters(run.fail_at),
        }
        asked = await client.post("/api/v1/workflows/execute", json=body)
        assert asked.status_code == 202, asked.text
        run.execution_id = asked.json()["execution_id"]
    return runs


async def _strike(processes: list[ServiceProcess], chance: random.Random) -> None:
    """Kill one after another, in any order, and bring each back."""
    for _ in range(KILLS):
        victim = chance.choice(processes)
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        await victim.kill()
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        await victim.start()


async def _over(client: httpx.AsyncClient, run: Run) -> dict[str, Any]:
    """The rollback of a run, once it is over."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        found = await client.get(f"/api/v1/rollbacks/{run.execution_id}")
        if found.status_code == 200 and found.json()["summary"]["over"]:
            view: dict[str, Any] = found.json()
            return view
        late = asyncio.get_running_loop().time() > deadline
        assert not late, f"{run.strategy}, {run.fail_at}: {found.text[:2_000]}"
        await asyncio.sleep(0.5)


def _expected(run: Run, rollback: dict[str, Any]) -> dict[str, Any]:
    """With a checkpoint what lies before it stays; else nothing does."""
    if run.strategy != "checkpoint":
        return dict(run.before)
    to = rollback["plan"]["to"]
    kept = STEPS[: STEPS.index("start" if to == CHECKPOINT else to)]
    return after(run.before, frozenset(kept))


@pytest.mark.parametrize("seed", [1])
async def test_the_world_is_what_it_was(seed: int, tmp_path: Path) -> None:
    """Whichever step fails, whoever is killed, and with each strategy."""
    chance = random.Random(seed)
    with running_service() as service:
        async with running_world(tmp_path) as (client, processes):
            runs = await _begin(client, tmp_path, service)
            await _strike(processes, chance)
            for run in runs:
                rollback = await _over(client, run)
                said = f"{run.strategy}, fails at {run.fail_at}: {rollback['summary']}"
                assert rollback["summary"]["status"] == "rolled_back", said
                assert run.ground.snapshot() == _expected(run, rollback), said
