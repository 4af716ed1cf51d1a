"""A person with a key and a home of their own, who uses `hv` as a process."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest_asyncio

from ops.stack.layout import REPO_ROOT
from shared.learning.records import RecordedCommand
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import Terminal, terminal
from tests.integration.test_gateway_commands import recorded

PATIENCE = 150
"""Looks, 0.2 s apart."""


class Person:
    """Somebody with a key and a home of their own."""

    def __init__(self, world: World, url: str, name: str, key: str, home: Path) -> None:
        self.world, self.name, self.home = world, name, home
        self.spool = home / "spool"
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HIVE_HOME": str(home),
            "HIVE_URL": url,
            "HIVE_API_KEY": key,
            "HIVE_RECORD_SPOOL": str(self.spool),
            "PYTHONPATH": str(REPO_ROOT),
        }

    async def hv(
        self, *arguments: str, stdin: str = "", code: int = 0, more: Mapping[str, str] | None = None
    ) -> tuple[str, str]:
        """What `hv` says on standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "services.cli", *arguments),
            env={**self.variables, **(more or {})},
            cwd=self.home,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode == code, (out, err)
        return out.decode(), err.decode()

    async def commands(self) -> list[RecordedCommand]:
        """What the record holds of this person."""
        items = [placed.item for placed in await recorded(self.world, self.name)]
        return [item for item in items if isinstance(item, RecordedCommand)]

    async def lines(self) -> list[str]:
        return [item.command for item in await self.commands()]

    async def until(self, count: int) -> list[str]:
        """The lines in the record, once there are so many."""
        for _ in range(PATIENCE):
            if len(await self.lines()) >= count:
                break
            await asyncio.sleep(0.2)
        return await self.lines()

    def waiting(self) -> list[Path]:
        """Files that wait to be sent."""
        return [one for one in self.spool.iterdir() if one.suffix in {".raw", ".jsonl"}]


@pytest_asyncio.fixture(name="served", scope="module", loop_scope="module")
async def served_world(world: World) -> AsyncIterator[Terminal]:
    async with terminal(world) as opened:
        yield opened


@pytest_asyncio.fixture(name="person", loop_scope="module")
async def new_person(served: Terminal, tmp_path: Path) -> Person:
    name = f"u-{secrets.token_hex(4)}"
    client = await served.world.as_role("agent", name)
    key = client.headers["Authorization"].removeprefix("Bearer ")
    await client.aclose()
    return Person(served.world, served.url, name, key, tmp_path)
