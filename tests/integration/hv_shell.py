"""`hv` as a process against a gateway of this process that listens."""

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
class Shell:
    """Types commands for the first admin."""

    home: str
    url: str

    async def hv(self, *arguments: str, code: int = 0) -> str:
        """What `hv` says on standard output, and that it ends as expected."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *arguments),
            cwd=REPO_ROOT,
            env={"PATH": os.environ["PATH"], "HIVE_HOME": self.home, "HIVE_URL": self.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == code, (out, err)
        return out.decode()

    async def json(self, *arguments: str) -> Any:
        """The same as JSON."""
        return json.loads(await self.hv(*arguments, "--json"))


@asynccontextmanager
async def open_shell(world: World) -> AsyncIterator[Shell]:
    """Let the world's gateway listen."""
    stop = asyncio.Event()
    listener = listen(GatewaySettings(gateway_port=0))
    serving = asyncio.create_task(serve_until(stop, world.app, listener, 1))
    try:
        yield Shell(str(world.home), f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        stop.set()
        await serving
        listener.close()
