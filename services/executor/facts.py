"""What an agent can say about its host, measured when it is asked."""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil
from pydantic import JsonValue

from shared.version import VERSION

PIDS_LIMIT: Final = 20
"""Most process ids given for one name."""


class FactFinder:
    """Finds facts by topic. What it is asked for and does not know, it says so. Everything blocks
    for some milliseconds; looking for processes, longer."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._started_s = time.monotonic()
        self._topics: Mapping[str, Callable[[], JsonValue]] = {
            "host": _host,
            "platform": _platform,
            "uptime": self._uptime,
            "disk": self._disk,
            "load": _load,
            "memory": _memory,
            "versions": _versions,
        }

    def find(self, topics: Sequence[str], processes: Sequence[str]) -> dict[str, JsonValue]:
        """The facts of these topics, and under `processes` which of the named ones run."""
        facts: dict[str, JsonValue] = {}
        for topic in topics:
            known = self._topics.get(topic)
            facts[topic] = {"error": "not known to this agent"} if known is None else known()
        if processes:
            facts["processes"] = dict(_processes(processes))
        return facts

    def _uptime(self) -> JsonValue:
        return {
            "host_s": round(time.time() - psutil.boot_time(), 1),
            "agent_s": round(time.monotonic() - self._started_s, 1),
        }

    def _disk(self) -> JsonValue:
        usage = psutil.disk_usage(str(self._data_dir))
        return {
            "total_bytes": usage.total,
            "free_bytes": usage.free,
            "used_percent": usage.percent,
        }


def _host() -> JsonValue:
    return {"name": socket.gethostname(), "cores": psutil.cpu_count() or 1}


def _platform() -> JsonValue:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
    }


def _load() -> JsonValue:
    one, five, fifteen = psutil.getloadavg()
    return {"1m": one, "5m": five, "15m": fifteen, "cores": psutil.cpu_count() or 1}


def _memory() -> JsonValue:
    memory = psutil.virtual_memory()
    return {
        "total_bytes": memory.total,
        "available_bytes": memory.available,
        "used_percent": memory.percent,
    }


def _versions() -> JsonValue:
    return {"agent": VERSION, "python": platform.python_version()}


def _processes(names: Sequence[str]) -> dict[str, JsonValue]:
    """By name: a process matches by its name, or by the file name of its program."""
    found: dict[str, list[int]] = {name: [] for name in names}
    for process in psutil.process_iter(["name", "exe"]):
        if process.info.get("name") is None and process.info.get("exe") is None:
            continue
        forms = {process.info["name"], Path(process.info["exe"] or "").name}
        for name in forms & found.keys():
            found[name].append(process.pid)
    return {
        name: {"running": bool(pids), "count": len(pids), "pids": [*sorted(pids)[:PIDS_LIMIT]]}
        for name, pids in found.items()
    }
