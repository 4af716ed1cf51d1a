"""What NATS and MongoDB have in common: start, wait until ready, stop, kill, and start again on the
same port and data.
"""

import time
from abc import ABC, abstractmethod
from pathlib import Path

from ops.stack.errors import NotReadyError
from ops.stack.processes import Child, tail

READY_TIMEOUT_S = 60.0
_POLL_S = 0.02


class Server(ABC):
    """A server process of the stack. One object lives through any number of starts and kills."""

    name: str

    def __init__(self, log: Path) -> None:
        """Nothing runs until `start`."""
        self.log = log
        self.child: Child | None = None

    @abstractmethod
    def start(self) -> None:
        """Start the process on its port and data; returns before it is ready."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether it serves requests now."""

    @property
    def pid(self) -> int | None:
        """Process id, or None when it does not run."""
        return self.child.pid if self.running and self.child else None

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self.child is not None and self.child.running

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until it serves. Raises `NotReadyError` with the end of its log when it ends or is
        too slow.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.running or time.monotonic() > deadline:
                end = self.child.describe_end() if self.child else "never started"
                raise NotReadyError(
                    f"{self.name} is not ready ({end}). The end of {self.log}:\n{self.log_end()}"
                )
            time.sleep(_POLL_S)

    def log_end(self) -> str:
        """Return what the log's end says about a failure."""
        return tail(self.log)

    def stop(self) -> None:
        """Stop it in order, and wait until it is gone."""
        if self.child:
            self.child.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a power cut would, and wait until it is gone."""
        if self.child:
            self.child.kill()

    def restart(self) -> None:
        """Stop it if it runs, start it again and wait until it serves."""
        self.stop()
        self.start()
        self.wait_ready()
