"""`hv` in a process of its own against a gateway of this process that listens."""

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

WORKER = """
import contextlib, io, json, sys
from services.cli.app import main
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(json.loads(line))
    ended = {"code": int(code), "out": out.getvalue(), "err": err.getvalue()}
    print(json.dumps(ended), flush=True)
"""
"""Runs one command after the other in one process: to start Python for each takes a second."""


@dataclass(frozen=True)
class Shell:
    """Types commands for the first admin."""

    process: asyncio.subprocess.Process

    async def hv(self, *arguments: str, code: int = 0) -> str:
        """What `hv` says on standard output, and that it ends as expected."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(arguments).encode() + b"\n")
        await self.process.stdin.drain()
        ended = json.loads(await self.process.stdout.readline())
        assert ended["code"] == code, ended
        return str(ended["out"])

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
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WORKER),
            cwd=REPO_ROOT,
            env={"PATH": os.environ["PATH"], "HIVE_HOME": str(world.home), "HIVE_URL": address},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=16 * 1024 * 1024,
        )
        yield Shell(process)
        process.kill()
        await process.wait()
    finally:
        stop.set()
        await serving
        listener.close()
