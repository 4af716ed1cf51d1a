"""Rollbacks while processes are killed: afterwards the world is what it was, byte for byte.

A template of six steps on three agents fails at each of its steps in turn, with each strategy that
undoes by itself. All these runs are under way together, while the agents (each of them a
coordinator, too) and the rollback service are killed with -9 and come back.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import httpx
import pytest

from ops.stack.layout import REPO_ROOT
from ops.stack.servers import embedded_servers
from tests.integration.executor.processes import (
    ExecutorProcess,
    GatewayProcess,
    RollbackProcess,
    ServiceProcess,
)
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
SEEDS: Final = tuple(int(seed) for seed in os.environ.get("HIVE_TEST_KILL_SEEDS", "1").split(","))
"""Whom it strikes, and when; give others to look further."""
KILLS: Final = 6
KILLS_BEFORE_TICKS: Final = 2
BLOCK: Final = re.compile(r"^  ```sh\n(.*?)^  ```$", re.MULTILINE | re.DOTALL)
ITEM: Final = re.compile(r"^- \[ \] \*\*(\d+)\.", re.MULTILINE)
PATIENCE_S: Final = 240.0


@dataclass
class Run:
    """One execution, what it works on, and how that was before."""

    strategy: str
    fail_at: str
    ground: Ground
    before: dict[str, Any]
    execution_id: str = ""


@dataclass
class World:
    """Three agents, a rollback service and a gateway, and a client of that."""

    client: httpx.AsyncClient
    gateway: GatewayProcess
    processes: list[ServiceProcess]


@asynccontextmanager
async def running_world(home: Path) -> AsyncIterator[World]:
    """All of it on servers of its own, each a process."""
    with embedded_servers(home / "servers", durability="relaxed") as servers:
        gateway = GatewayProcess(servers, home)
        processes: list[ServiceProcess] = [
            *(ExecutorProcess(servers, home, name, agent_slots=16) for name in AGENTS),
            RollbackProcess(servers, home),
        ]
        try:
            await gateway.start()
            await asyncio.gather(*(process.start() for process in processes))
            key = (home / "admin.key").read_text(encoding="utf-8").strip()
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as client:
                yield World(client, gateway, processes)
        finally:
            for process in [*processes, gateway]:
                await process.stop()


async def _begin(
    client: httpx.AsyncClient, home: Path, service: Service, strategies: tuple[str, ...]
) -> list[Run]:
    runs = []
    for strategy in strategies:
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


async def _strike(
    processes: list[ServiceProcess], chance: random.Random, kills: int = KILLS
) -> None:
    """Kill one after another, in any order, and bring each back."""
    for _ in range(kills):
        victim = chance.choice(processes)
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        await victim.kill()
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        await victim.start()


async def _over(client: httpx.AsyncClient, run: Run, status: str = "") -> dict[str, Any]:
    """The rollback of a run, once it is over; with a status once it has this one, or is over."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        found = await client.get(f"/api/v1/rollbacks/{run.execution_id}")
        summary = found.json()["summary"] if found.status_code == 200 else {}
        if summary and (summary["over"] or summary["status"] == status):
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


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_world_is_what_it_was(seed: int, tmp_path: Path) -> None:
    """Whichever step fails, whoever is killed, and with each strategy."""
    chance = random.Random(seed)
    with running_service() as service:
        async with running_world(tmp_path) as world:
            runs = await _begin(world.client, tmp_path, service, STRATEGIES)
            await _strike(world.processes, chance)
            for run in runs:
                rollback = await _over(world.client, run)
                said = f"{run.strategy}, fails at {run.fail_at}: {rollback['summary']}"
                assert rollback["summary"]["status"] == "rolled_back", said
                assert run.ground.snapshot() == _expected(run, rollback), said


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_person_who_follows_the_runbook_gets_there(seed: int, tmp_path: Path) -> None:
    """Every line of it can be pasted into a shell, in order; ticked off, it is rolled back. Whoever
    is killed while the runs fail and are planned, and once more while the person ticks."""
    chance = random.Random(seed)
    with running_service() as service:
        async with running_world(tmp_path) as world:
            runs = await _begin(world.client, tmp_path, service, ("manual",))
            await _strike(world.processes, chance, KILLS // 2)
            shell = _shell(tmp_path, world.gateway.url)
            runbooks = [await _pasted(world.client, run, shell) for run in runs]
            ticking = [
                _ticked(world.client, run, text) for run, text in zip(runs, runbooks, strict=True)
            ]
            await asyncio.gather(_strike(world.processes, chance, KILLS_BEFORE_TICKS), *ticking)
            for run in runs:
                rollback = await _over(world.client, run)
                assert rollback["summary"]["status"] == "rolled_back"
                assert run.ground.snapshot() == run.before


async def _pasted(client: httpx.AsyncClient, run: Run, shell: dict[str, str]) -> str:
    """Do all that the runbook says; gives the runbook, which is empty where the first step had not
    begun when its agent was killed."""
    rollback = await _over(client, run, "awaiting_people")
    if rollback["summary"]["over"]:
        assert not rollback["plan"]["items"], rollback
        return ""
    found = await client.get(f"/api/v1/rollbacks/{run.execution_id}/runbook")
    text: str = found.json()["markdown"]
    for block in BLOCK.findall(text):
        await asyncio.to_thread(_paste, dedent(block), shell)
    assert run.ground.snapshot() == run.before, text
    return text


async def _ticked(client: httpx.AsyncClient, run: Run, runbook: str) -> None:
    """Tick every item off, some time after the other."""
    for number in ITEM.findall(runbook):
        await asyncio.sleep(0.5)
        ticked = await client.post(
            f"/api/v1/rollbacks/{run.execution_id}/items/{number}",
            json={"verdict": "done", "comment": "pasted"},
        )
        assert ticked.status_code == 202, ticked.text


def _paste(lines: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-e", "-c", lines], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout}{done.stderr}"


def _shell(home: Path, url: str) -> dict[str, str]:
    """What the shell of a person has: `hv` on the path, and a key."""
    programs = home / "bin"
    programs.mkdir()
    hv = programs / "hv"
    hv.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m services.cli "$@"\n', encoding="utf-8")
    hv.chmod(0o755)
    key = (home / "admin.key").read_text(encoding="utf-8").strip()
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPO_ROOT),
        "HIVE_URL": url,
        "HIVE_API_KEY": key,
    }
