"""`hv bench learning`: how fast models learn, what a snapshot costs, how fast the record is kept.

Commands and runs are made up, the same in every round. Models fold them here, in one thread, as the
learning service does; speeds are medians of ten parts, by processor time. Then commands are
added to the record of a real stack, and it is looked how long that takes until the learning service
keeps them all.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from services.cli.bench import analytics_bench, suggestion_load
from services.cli.bench.stack import BenchStack, bench_stack
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.nats.connection import connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordSink
from shared.analytics.fold import Analytics
from shared.learning.fold import Fold
from shared.learning.next_command_fold import NextCommandFold
from shared.learning.records import AnyRecord
from shared.outcomes.success import SuccessModel
from shared.runtime.clock import SystemClock

PARTS: Final = 10
ROUNDS: Final = 3
AT_ONCE: Final = 1_000
MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured; the defaults are those of the recorded figures."""

    commands: int = 100_000
    runs: int = 20_000
    kept: int = 20_000
    """Commands that are added to the record of the stack."""


def run(load: Load, console: Console) -> dict[str, dict[str, Any]]:
    """The figures of each model, and of keeping."""
    now_ms = SystemClock().now_ms()
    commands = list(suggestion_load.commands(load.commands))
    runs = list(analytics_bench.runs(load.runs, now_ms))
    figures: dict[str, dict[str, Any]] = {}
    makes: tuple[tuple[Callable[[], Fold], Sequence[AnyRecord]], ...] = (
        (NextCommandFold, commands),
        (SuccessModel, runs),
        (Analytics, runs),
    )
    for make, items in makes:
        name = make().name
        console.print(f"{name}: {len(items)} items")
        figures[name] = learned(make, items)
    console.print(f"keeping {load.kept} commands")
    with bench_stack("relaxed") as stack:
        figures["the record"] = asyncio.run(_kept(stack, load.kept))
    return figures


def learned(make: Callable[[], Fold], items: Sequence[AnyRecord]) -> dict[str, Any]:
    """How fast a model learns these, and what becomes of it as bytes."""
    fold = make()
    speeds = []
    size = max(1, len(items) // PARTS)
    for begun in range(0, len(items), size):
        part = items[begun : begun + size]
        began = time.process_time()
        for place, item in enumerate(part, begun):
            fold.apply(item, place)
        speeds.append(len(part) / (time.process_time() - began))
    gc.collect()
    saving, loading, data = [], [], b""
    for _ in range(ROUNDS):
        began = time.process_time()
        data = fold.save()
        saving.append(time.process_time() - began)
        other = make()
        began = time.process_time()
        other.load(data)
        loading.append(time.process_time() - began)
    return {
        "items": len(items),
        "items_per_cpu_s": round(statistics.median(speeds)),
        "slowest_part_per_cpu_s": round(min(speeds)),
        "snapshot_mb": round(len(data) / MB, 2),
        "save_cpu_s": round(statistics.median(saving), 3),
        "load_cpu_s": round(statistics.median(loading), 3),
    }


async def _kept(stack: BenchStack, count: int) -> dict[str, Any]:
    """How fast commands are added, and how long after that all are kept."""
    bus = await connect(stack.nats_url, "bench")
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    mongo = Mongo(stack.mongo_url, journaled=False)
    store, sink = MongoRecordStore(mongo), NatsRecordSink(publisher)
    now_ms = SystemClock().now_ms()
    items = [
        one.model_copy(update={"at_ms": now_ms}) for one in suggestion_load.commands(count, seed=2)
    ]
    try:
        began = time.perf_counter()
        for begun in range(0, count, AT_ONCE):
            await sink.add(items[begun : begun + AT_ONCE])
        added = time.perf_counter() - began
        while await store.count() < count:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.02)
        whole = time.perf_counter() - began
    finally:
        await mongo.close()
        await publisher.close()
        await bus.close()
    return {
        "items": count,
        "added_per_s": round(count / added),
        "kept_per_s": round(count / whole),
    }
