"""What runs now, as `.hive/stack.json`: written by the supervisor, read by everyone else.

The record may outlive its supervisor (kill -9, power cut). A process id alone does not prove life,
because it may have been given to another program; together with the start time of that process it
does.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ops.stack.layout import Layout, write_private
from ops.stack.processes import start_time

Phase = Literal["starting", "ready", "stopping"]

_START_TIME_TOLERANCE_S = 1.0


@dataclass(slots=True)
class ServiceRecord:
    """One process of the stack; `health` is its health URL, if it has one."""

    name: str
    pid: int | None
    health: str | None = None
    restarts: int = 0


@dataclass(slots=True)
class StackRecord:
    """One run of the stack. Times are seconds since the epoch; URLs by name, with passwords (mode
    0600).
    """

    pid: int
    process_started_at: float
    durability: str
    phase: Phase = "starting"
    started_at: float = field(default_factory=time.time)
    urls: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    services: list[ServiceRecord] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor that wrote this still runs."""
        started = start_time(self.pid)
        return (
            started is not None and abs(started - self.process_started_at) < _START_TIME_TOLERANCE_S
        )

    def save(self, layout: Layout) -> None:
        """Write the record, replacing the one before in one step."""
        write_private(layout.record, json.dumps(asdict(self), indent=2) + "\n")


def read(path: Path) -> StackRecord | None:
    """Return the record at `path`, or None when there is none or it cannot be understood."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        services = [ServiceRecord(**service) for service in data.pop("services")]
        return StackRecord(**data, services=services)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def running(layout: Layout) -> StackRecord | None:
    """Return the record of the stack that runs now, or None. A stale record counts as none."""
    record = read(layout.record)
    return record if record and record.is_alive else None
