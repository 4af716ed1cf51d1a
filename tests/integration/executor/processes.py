"""Processes of services that a test starts with any settings, kills, stops and starts again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

from ops.stack import ports
from ops.stack.layout import REPO_ROOT
from ops.stack.processes import Child, tail
from ops.stack.servers import EmbeddedServers

PATIENCE_S = 60.0


def _user(settings: dict[str, object]) -> str:
    """The NATS user of a role: each may do what it must, and no more."""
    role = str(settings.get("role", "both"))
    return "executor" if role == "both" else role


class ServiceProcess:
    """One process of a service; `start` after an end is a new process of the same name."""

    def __init__(
        self,
        servers: EmbeddedServers,
        home: Path,
        name: str,
        *,
        service: str,
        user: str,
        runs: str,
        **settings: object,
    ) -> None:
        """`settings` are the service's own, by name: `agent_slots=1`. `runs` is what it says when
        it is ready."""
        self.name = name
        self.log = home / f"{name}.log"
        self._module = f"services.{service}"
        self._runs = re.compile(runs)
        self._env = {
            **os.environ,
            "PYTHONPATH": str(REPO_ROOT),
            "HIVE_NATS_URL": servers.nats_url(user),
            "HIVE_MONGO_URL": servers.mongo_url,
            "HIVE_HOME": str(home),
            "HIVE_DURABILITY": "relaxed",
        }
        for key, value in settings.items():
            self._env[key if key.isupper() else f"HIVE_{key.upper()}"] = str(value)
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Process id of the last process."""
        assert self._child is not None
        return self._child.pid

    async def start(self) -> None:
        """Start it, and wait until it says that it runs."""
        before = self._times_ran()
        argv = [sys.executable, "-m", self._module]
        self._child = await asyncio.to_thread(Child, argv, self._env, self.log)
        async with asyncio.timeout(PATIENCE_S):
            while self._times_ran() == before:
                assert self.running, f"{self.name} ended:\n{tail(self.log)}"
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """kill -9."""
        if self._child is not None:
            await asyncio.to_thread(self._child.kill)

    def freeze(self) -> None:
        """SIGSTOP: it lives, and does nothing. What its steps started goes on."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        if self._child is not None:
            self._child.terminate()

    async def ended(self) -> int | None:
        """Wait for its end; gives the exit code."""
        assert self._child is not None
        assert await asyncio.to_thread(self._child.wait, PATIENCE_S), f"{self.name} does not end"
        return self._child.exit_code

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._child is not None:
            await asyncio.to_thread(self._child.stop, 30.0)

    def text(self) -> str:
        """Everything that it said, in all its lives."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _times_ran(self) -> int:
        return len(self._runs.findall(self.text()))


class ExecutorProcess(ServiceProcess):
    """One executor by name."""

    def __init__(self, servers: EmbeddedServers, home: Path, name: str, **settings: object) -> None:
        """`settings` are the executor's own, by name: `agent_slots=1`."""
        super().__init__(
            servers,
            home,
            name,
            service="executor",
            user=_user(settings),
            runs="executor runs",
            agent_name=name,
            **settings,
        )


class RollbackProcess(ServiceProcess):
    """One rollback service."""

    def __init__(self, servers: EmbeddedServers, home: Path, **settings: object) -> None:
        super().__init__(
            servers,
            home,
            "rollback",
            service="rollback",
            user="rollback",
            runs="rollback service runs",
            **settings,
        )


class GatewayProcess(ServiceProcess):
    """One gateway on a port of its own."""

    def __init__(self, servers: EmbeddedServers, home: Path, **settings: object) -> None:
        self.port = ports.pick(avoid=set())
        super().__init__(
            servers,
            home,
            "gateway",
            service="gateway",
            user="gateway",
            runs="gateway listens",
            gateway_port=self.port,
            **settings,
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{ports.LOOPBACK}:{self.port}"
