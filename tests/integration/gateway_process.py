"""Gateway processes that a test starts with any settings, kills, stops and starts again."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import httpx

from ops.stack.layout import REPO_ROOT
from ops.stack.processes import Child, tail
from ops.stack.servers import EmbeddedServers

PATIENCE_S = 60.0
_LISTENS = re.compile(r"gateway listens.*url=(\S+)")


class GatewayProcess:
    """One gateway on a free port; gateways of one home share its keys."""

    def __init__(self, servers: EmbeddedServers, home: Path, name: str, **settings: object) -> None:
        """`settings` are the gateway's own, by name: `webhook_timeout_s=1`."""
        self.name = name
        self._home = home
        self._log = home / f"{name}.log"
        self._env = {
            **os.environ,
            "PYTHONPATH": str(REPO_ROOT),
            "HIVE_NATS_URL": servers.nats_url("gateway"),
            "HIVE_MONGO_URL": servers.mongo_url,
            "HIVE_HOME": str(home),
            "HIVE_DURABILITY": "relaxed",
            "HIVE_GATEWAY_PORT": "0",
            **{f"HIVE_{key.upper()}": str(value) for key, value in settings.items()},
        }
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it, and wait until it says that it listens."""
        before = len(self._addresses())
        argv = [sys.executable, "-m", "services.gateway"]
        self._child = await asyncio.to_thread(Child, argv, self._env, self._log)
        async with asyncio.timeout(PATIENCE_S):
            while len(self._addresses()) == before:
                assert self._child.running, f"{self.name} ended:\n{tail(self._log)}"
                await asyncio.sleep(0.05)

    def client(self) -> httpx.AsyncClient:
        """A client of this process, with the first admin's key."""
        secret = (self._home / "admin.key").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.AsyncClient(base_url=self._addresses()[-1], headers=headers, trust_env=False)

    async def kill(self) -> None:
        """kill -9."""
        assert self._child is not None
        await asyncio.to_thread(self._child.kill)

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._child is not None:
            await asyncio.to_thread(self._child.stop, 30.0)

    def _addresses(self) -> list[str]:
        if not self._log.exists():
            return []
        return _LISTENS.findall(self._log.read_text(encoding="utf-8", errors="replace"))
