"""Keep one process running: restart it when it ends by itself, more slowly each time."""

import http.client
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from ops.stack.errors import StackError
from ops.stack.processes import Child
from ops.stack.server import Server
from ops.stack.spec import ServiceSpec

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 15.0
STEADY_AFTER_S = 60.0
"""A process that ran this long starts again with the first delay."""

_HEALTH_TIMEOUT_S = 2.0
_SETTLED_AFTER_S = 0.5


class Kept(Protocol):
    """A process that can be started again; `child` is its latest run."""

    name: str
    log: Path
    child: Child | None

    def start(self) -> None:
        """Start it; returns before it is ready."""
        ...

    def is_ready(self) -> bool:
        """Tell whether it is healthy now."""
        ...


class Service:
    """A service of the stack as a process that can be started again and asked for its health."""

    def __init__(self, spec: ServiceSpec, env: Mapping[str, str], log: Path) -> None:
        """Nothing runs until `start`."""
        self.name = spec.name
        self.spec = spec
        self.log = log
        self.child: Child | None = None
        self._env = env

    def start(self) -> None:
        """Start the process."""
        self.child = Child(self.spec.argv, self._env, self.log)

    def is_ready(self) -> bool:
        """Tell whether its health URL answers 200, and those of its guests; without any whether it
        has stayed up for a moment.
        """
        urls = self.spec.health_urls
        if not urls:
            return bool(self.child and self.child.running and self.child.age_s > _SETTLED_AFTER_S)
        return all(map(answers_ok, urls))


class Keeper:
    """Restarts one process with exponential backoff; `tend` is called a few times a second."""

    def __init__(self, kept: Kept | Server, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds; the tests pass their own."""
        self.kept: Kept | Server = kept
        self.restarts = 0
        self._clock = clock
        self._delay_s = FIRST_DELAY_S
        self._due_at: float | None = None

    def tend(self) -> str | None:
        """Look after the process; returns a sentence when something happened that a person should
        know.
        """
        child = self.kept.child
        if child is None or child.running:
            return None
        if self._due_at is None:
            return self._schedule(child)
        if self._clock() < self._due_at:
            return None
        return self._restart()

    def _restart(self) -> str:
        try:
            self.kept.start()
        except (OSError, StackError) as error:  # such as a full disk: it may pass
            delay_s = self._put_off()
            return f"{self.kept.name} cannot start ({error}); tried again in {delay_s:g} s"
        self._due_at = None
        self.restarts += 1
        return f"{self.kept.name} restarted (restart {self.restarts})"

    def _schedule(self, child: Child) -> str:
        if child.age_s > STEADY_AFTER_S:
            self._delay_s = FIRST_DELAY_S
        delay_s = self._put_off()
        return (
            f"{self.kept.name} ended ({child.describe_end()}); "
            f"it starts again in {delay_s:g} s, its log is {self.kept.log}"
        )

    def _put_off(self) -> float:
        """Wait before the next start, each time twice as long; returns the seconds."""
        delay_s = self._delay_s
        self._due_at = self._clock() + delay_s
        self._delay_s = min(delay_s * 2, MAX_DELAY_S)
        return delay_s


def answers_ok(url: str) -> bool:
    """Tell whether a health URL answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=_HEALTH_TIMEOUT_S) as response:
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):  # the second: it is another program's port
        return False
