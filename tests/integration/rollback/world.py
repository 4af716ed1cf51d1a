"""What tests of rollbacks do through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.integration.gateway_world import World

_numbers = count(1)


class RollbackWorld:
    """A running system, spoken to over HTTP."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = world.client

    @property
    def files(self) -> Path:
        """A directory of the agent."""
        path = self.world.home / "agents" / "agent-test" / "files"
        path.mkdir(parents=True, exist_ok=True)
        return path

    async def template(self, *steps: dict[str, Any], **rest: Any) -> str:
        """Store a template; gives its id."""
        name = f"t{next(_numbers)}"
        body = {"id": name, "name": name, "steps": list(steps), **rest}
        answer = await self.client.post("/api/v1/workflows/templates", json=body)
        assert answer.status_code in (200, 201), answer.text
        return name

    async def run(self, template: str, wait: float = 20, **parameters: Any) -> dict[str, Any]:
        """Run it, and wait for its end."""
        body = {"template_id": template, "parameters": parameters}
        path = f"/api/v1/workflows/execute?wait={wait}"
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 202, answer.text
        view: dict[str, Any] | None = answer.json().get("execution")
        return view or {"id": answer.json()["execution_id"]}

    async def execution(self, execution_id: str) -> dict[str, Any]:
        """An execution as it is now."""
        answer = await self.client.get(f"/api/v1/workflows/executions/{execution_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def roll_back(self, execution_id: str, **body: Any) -> dict[str, Any]:
        """Ask for a rollback; gives the answer."""
        path = f"/api/v1/workflows/executions/{execution_id}/rollback"
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 202, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted

    async def rollback(self, execution_id: str) -> dict[str, Any]:
        """A rollback as it is now."""
        answer = await self.client.get(f"/api/v1/rollbacks/{execution_id}")
        assert answer.status_code in (200, 404), answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def rolled_back(self, execution_id: str, number: int = 1) -> dict[str, Any]:
        """Wait for the end of a rollback."""
        found: dict[str, Any] = {}

        async def over() -> bool:
            found.update(await self.rollback(execution_id))
            summary = found.get("summary", {"over": False, "number": 0})
            return bool(summary["over"] and summary["number"] == number)

        await self.until(over, lambda: f"rollback {number} of {execution_id} is over: {found}")
        return found

    async def status(self, execution_id: str, wanted: str) -> dict[str, Any]:
        """Wait for a status of an execution."""
        found: dict[str, Any] = {}

        async def reached() -> bool:
            found.update(await self.execution(execution_id))
            return bool(found["status"] == wanted)

        await self.until(reached, lambda: f"{execution_id} is {wanted}, not {found}")
        return found

    async def until(
        self, holds: Callable[[], Awaitable[bool]], what: Callable[[], str], seconds: float = 30
    ) -> None:
        """Wait until something holds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await holds():
            assert asyncio.get_running_loop().time() < deadline, what()
            await asyncio.sleep(0.05)


def shell(step: str, script: str, **rest: Any) -> dict[str, Any]:
    """A step that runs a script; `undo` is the script that undoes it."""
    undo = rest.pop("undo", None)
    made: dict[str, Any] = {"id": step, "command": "shell", "parameters": {"script": script}}
    if undo is not None:
        made["rollback"] = {"command": "shell", "parameters": {"script": undo}}
    return {**made, **rest}
