"""A world of executors with a ledger, for faults that other systems of this kind had."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ops.stack.servers import embedded_servers
from tests.integration.executor.world import World, new_world, shell


@asynccontextmanager
async def peers_world(home: Path) -> AsyncIterator[World]:
    """An empty world on servers of its own, which may be killed."""
    with embedded_servers(home / "servers", durability="relaxed") as servers:
        async with new_world(servers, home) as world:
            yield world


def book_of(world: World) -> Path:
    return world.home / "ledger"


def noted(world: World, step: str, then: str = "true", **rest: Any) -> dict[str, Any]:
    """A step that leaves `<execution> <step>` in the ledger, and then does something else."""
    line = 'echo "$ME $STEP" >> "$BOOK"'
    env = {"ME": "${{ execution.id }}", "STEP": step, "BOOK": str(book_of(world))}
    return shell(step, "", parameters={"script": f"{line}; {then}", "env": env}, **rest)


def times(world: World) -> Counter[tuple[str, str]]:
    """How often each step of each execution began."""
    book = book_of(world)
    lines = book.read_text(encoding="utf-8").splitlines() if book.exists() else []
    return Counter((line.split()[0], line.split()[1]) for line in lines)


async def began(world: World, execution: str, step: str) -> None:
    """Wait until a step has left its line."""

    async def so() -> bool:
        return times(world)[execution, step] > 0

    await world.until(so, f"{execution} {step} begins")


async def kill_all(world: World) -> None:
    """kill -9 of every executor and both servers, at once."""
    await asyncio.gather(*(executor.kill() for executor in world.executors.values()))
    await asyncio.to_thread(world.servers.nats.kill)
    await asyncio.to_thread(world.servers.mongo.kill)


async def start_all(world: World) -> None:
    """Start the servers again on their data, then the executors."""
    await asyncio.to_thread(world.servers.nats.restart)
    await asyncio.to_thread(world.servers.mongo.restart)
    await asyncio.gather(*(executor.start() for executor in world.executors.values()))
