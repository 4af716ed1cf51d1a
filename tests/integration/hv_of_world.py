"""`hv` as a process, against a gateway of a test that listens on a real port."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ops.stack.layout import REPO_ROOT
from services.gateway.server import listen, serve_until
from services.gateway.settings import GatewaySettings
from tests.integration.gateway_world import World


@dataclass(frozen=True)
class Terminal:
    """Runs `hv` with the admin's key."""

    world: World
    url: str

    async def hv(self, *arguments: str, code: int = 0) -> str:
        """What it says on standard output, once it ended as expected."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *arguments),
            cwd=REPO_ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HIVE_HOME": str(self.world.home),
                "HIVE_URL": self.url,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == code, (out, err)
        return out.decode() + (err.decode() if code else "")

    async def json(self, *arguments: str) -> Any:
        """What it says with `--json`."""
        return json.loads(await self.hv(*arguments, "--json"))


@asynccontextmanager
async def terminal(world: World) -> AsyncIterator[Terminal]:
    """A gateway's port, for as long as the block lasts."""
    stop = asyncio.Event()
    listener = listen(GatewaySettings(gateway_port=0))
    serving = asyncio.create_task(serve_until(stop, world.app, listener, 1))
    try:
        yield Terminal(world, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        stop.set()
        await serving
        listener.close()
