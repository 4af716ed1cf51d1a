"""Workflows found by a learning service as it runs: proposed, told, and withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest

from tests.integration.learning.world import LearningWorld

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

PATIENCE_S = 100.0
"""The service takes a quarter of a core, and has the rest of the machine's work to wait for."""
RUN = token_hex(4)
"""Ids are this test's own: the bus drops one that another test sent lately."""
SERVICES = ("nginx", "redis", "haproxy", "grafana")


async def recorded(world: LearningWorld, user: str) -> None:
    """Six sessions in which a user restores a configuration."""
    client = await world.world.as_role("operator", user)
    for number in range(6):
        name = SERVICES[number % len(SERVICES)]
        lines = [
            f"systemctl stop {name}",
            f"cp /var/backups/{name}.conf /etc/{name}/{name}.conf",
            f"systemctl start {name}",
        ]
        body = [
            {"id": f"{RUN}-{number}-{n}", "command": line, "session": str(number), "exit": 0}
            for n, line in enumerate(lines)
        ]
        answer = await client.post("/api/v1/commands", json=body)
        assert answer.status_code == 200, answer.text


async def listed(
    world: LearningWorld, path: str, holds: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """What a list of the gateway has, once that is so."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + PATIENCE_S
    while True:
        items: list[dict[str, Any]] = (await world.world.client.get(path)).json()["items"]
        if holds(items):
            return items
        assert loop.time() < until_s, items
        await asyncio.sleep(0.2)


async def test_a_workflow_is_found_told_and_forgotten(world: LearningWorld) -> None:
    """What two people record becomes a proposal and an insight; when one of them is forgotten the
    proposal, which nobody else may see then, is withdrawn."""
    await world.kill()
    world.env["HIVE_LEARNING_MINE_S"] = "1"
    await world.start()
    for user in ("ann", "bob"):
        await recorded(world, user)
    (found,) = await listed(world, "/api/v1/proposals", bool)
    assert found["proposal"]["support"]["users"] == 2
    assert found["proposal"]["steps"][0] == "systemctl stop <service>"
    (told,) = await listed(world, "/api/v1/insights?kind=new_workflow", bool)
    assert told["about"] == found["proposal"]["id"]

    order = {"user": "bob", "everything": True}
    forgotten = await world.world.client.post("/api/v1/commands/forget", json=order)
    assert forgotten.status_code == 202, forgotten.text
    await listed(world, "/api/v1/proposals", lambda items: not items)
