"""A stack of its own for a benchmark: real servers, the gateway, two executors, in a new home."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.nats.config import Durability
from ops.stack import control, ports
from ops.stack.layout import Layout
from ops.stack.spec import GATEWAY_PORT_VARIABLE
from ops.stack.state import StackRecord

EXECUTORS: Final = 2


@dataclass(frozen=True, slots=True)
class BenchStack:
    """A running stack: how to reach it, its processes, and how long it took to be ready."""

    home: Path
    nats_url: str
    executor_url: str
    mongo_url: str
    pids: tuple[int, ...]
    pids_by_name: dict[str, int]
    cold_start_s: float


@contextmanager
def bench_stack(durability: Durability) -> Iterator[BenchStack]:
    """Start a stack in a temporary home on free ports; stop it and remove everything after."""
    with tempfile.TemporaryDirectory(prefix="hive-bench-") as folder:
        os.environ[GATEWAY_PORT_VARIABLE] = str(ports.pick(avoid=set()))
        layout = Layout(Path(folder))
        started = time.perf_counter()
        record = control.start_detached(layout, durability, EXECUTORS)
        took = time.perf_counter() - started
        try:
            yield _describe(layout.root, record, took)
        finally:
            control.stop(layout)


def _describe(home: Path, record: StackRecord, took: float) -> BenchStack:
    pids = {service.name: service.pid for service in record.services if service.pid}
    return BenchStack(
        home=home,
        nats_url=record.urls["nats.gateway"]
        if "nats.gateway" in record.urls
        else record.urls["nats"],
        executor_url=record.urls.get("nats.executor", record.urls["nats"]),
        mongo_url=record.urls["mongo"],
        pids=tuple(pids.values()),
        pids_by_name=pids,
        cold_start_s=took,
    )
