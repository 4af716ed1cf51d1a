"""`hv bench analytics`: how long a question takes once very many executions are stored.

The records of runs are made up, the same in every round, counted by the fold as by the learning
service, and written as tables into a real MongoDB. Then each kind of question is asked through
the gateway over HTTP, one at a time, with ranges that change. (Analytics read nothing but these
tables, so nothing else is stored.)
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from rich.console import Console

from ops.stack.spec import GATEWAY_PORT_VARIABLE
from services.cli.bench.measure import cpu_seconds, percentile
from services.cli.bench.stack import BenchStack, bench_stack
from shared.adapters.mongo.analytics import MongoAnalyticsStore
from shared.adapters.mongo.connection import Mongo
from shared.analytics.fold import Analytics
from shared.analytics.periods import DAY_MS
from shared.learning.records import RunAttempt, RunRecord
from shared.ports.analytics import Counted
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import COLLECT_AFTER

TEMPLATES: Final = 50
CATEGORIES: Final = 6
AGENTS: Final = 20
DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured; the defaults are those of the recorded figures."""

    stored: int = 100_000
    questions: int = 200
    """Of each kind, in each round."""
    rounds: int = 3


def runs(count: int, until_ms: int) -> Iterator[RunRecord]:
    """Made-up runs of a year: few templates run often, most of them seldom; 3 to 8 steps each."""
    draw = random.Random(1)  # noqa: S311 - the same in every round
    for number in range(count):
        template = min(int(draw.expovariate(5 / TEMPLATES)), TEMPLATES - 1)
        began = until_ms - round(DAYS * DAY_MS * (1 - number / count)) - 600_000
        failed = draw.random() < 0.08
        attempts = tuple(_attempts(draw, template, began, failed=failed))
        yield RunRecord(
            id=f"ex_bench_{number}",
            at_ms=attempts[-1].ended_at_ms,
            template_id=f"template_{template:02}",
            template_version=f"1.{number * 3 // count}.0",
            category=f"category_{template % CATEGORIES}",
            status="failed" if failed else "completed",
            by="bench",
            cause="user",
            created_at_ms=began,
            started_at_ms=began,
            attempts=attempts,
            failed_step=attempts[-1].step if failed else "",
            failure_code="exit_code" if failed else "",
        )


def _attempts(
    draw: random.Random, template: int, at_ms: int, *, failed: bool
) -> Iterator[RunAttempt]:
    steps = 3 + template % 6
    for step in range(steps):
        again = draw.random() < 0.05
        last = failed and step == steps - 1
        for outcome in (["failed"] if again else []) + ["failed" if last else "completed"]:
            took = round(draw.lognormvariate(5 + (step * 7 + template) % 5, 0.6))
            yield RunAttempt(
                step=f"step_{step}",
                command="shell",
                agent=f"agent-{draw.randrange(AGENTS):02}",
                started_at_ms=at_ms,
                ended_at_ms=at_ms + took,
                outcome="completed" if outcome == "completed" else "failed",
                code="" if outcome == "completed" else "exit_code",
            )
            at_ms += took


def questions() -> Mapping[str, Callable[[random.Random], tuple[str, dict[str, Any]]]]:
    """A question of each kind, with a range that is drawn."""

    def within(draw: random.Random, least: int = 1, most: int = 360) -> dict[str, Any]:
        return {"from": f"{draw.randint(least, most)}d"}

    def template(draw: random.Random) -> str:
        return f"template_{draw.randrange(5):02}"  # those that run every day

    return {
        "overview": lambda d: ("overview", within(d)),
        "overview, hours": lambda d: ("overview", {**within(d, 1, 10), "by": "hour"}),
        "overview, category": lambda d: ("overview", {**within(d), "category": "category_1"}),
        "templates": lambda d: ("templates", within(d)),
        "template": lambda d: (f"templates/{template(d)}", within(d)),
        "steps": lambda d: ("steps", within(d)),
        "steps of a template": lambda d: ("steps", {**within(d), "template": template(d)}),
        "agents": lambda d: ("agents", within(d)),
        "agent": lambda d: (f"agents/agent-{d.randrange(AGENTS):02}", within(d, 120)),
        "rollbacks": lambda d: ("rollbacks", within(d)),
        "suggestions": lambda d: ("suggestions", within(d)),
    }


def run(load: Load, console: Console) -> dict[str, dict[str, Any]]:
    """The figures: of counting, and of each kind of question."""
    with bench_stack("relaxed") as stack:
        return asyncio.run(_measured(stack, load, console))


async def _measured(stack: BenchStack, load: Load, console: Console) -> dict[str, Any]:
    def report(text: str) -> None:
        console.print(f"[dim]{text}[/dim]")

    mongo = Mongo(stack.mongo_url, journaled=False)
    try:
        report(f"counting {load.stored} runs")
        counting = await _counted(load.stored, mongo)
    finally:
        await mongo.close()
    secret = (stack.home / "admin.key").read_text(encoding="utf-8").strip()
    url = f"http://127.0.0.1:{os.environ[GATEWAY_PORT_VARIABLE]}/api/v1/analytics/"
    asking: dict[str, Any] = {}
    headers = {"Authorization": f"Bearer {secret}"}
    gateway = stack.pids_by_name["gateway"]
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        for name, question in questions().items():
            report(f"asking: {name}")
            asking[name] = await _asked(client, question, load, gateway)
    return {"counting": counting, "asking": asking}


async def _counted(count: int, mongo: Mongo) -> dict[str, Any]:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fold, items, folding_s = Analytics(), 0, 0.0
    for place, item in enumerate(runs(count, SystemClock().now_ms()), start=1):
        at = time.process_time()
        fold.apply(item, place)
        folding_s += time.process_time() - at
        items += 1
    at = time.process_time()
    changes = fold.take_changes()
    folding_s += time.process_time() - at
    memory_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    store = MongoAnalyticsStore(mongo)
    began = time.perf_counter()
    await store.write(changes.tables, items)
    await store.tell(Counted(items, changes.newest_ms, changes.kept))
    return {
        "items": items,
        "fold_cpu_s": round(folding_s, 1),
        "fold_us_each": round(folding_s / max(items, 1) * 1e6),
        "memory_mb": round(memory_mb),
        "tables": len(changes.tables),
        "tables_mb": round(sum(map(len, changes.tables.values())) / 1e6, 1),
        "write_s": round(time.perf_counter() - began, 1),
        "snapshot_mb": round(len(fold.save()) / 1e6, 1),
    }


async def _asked(
    client: httpx.AsyncClient,
    question: Callable[[random.Random], tuple[str, dict[str, Any]]],
    load: Load,
    gateway: int,
) -> dict[str, float]:
    """The medians over the rounds; `cpu_ms` is what the gateway's process used for each."""
    rounds = []
    for seed in range(load.rounds):
        draw = random.Random(seed)  # noqa: S311 - the same in every round
        took: list[float] = []
        before = cpu_seconds([gateway])
        for _ in range(load.questions):
            path, query = question(draw)
            began = time.perf_counter()
            answer = await client.get(path, params=query)
            took.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
        cpu_ms = (cpu_seconds([gateway]) - before) / load.questions * 1000
        rounds.append((percentile(took, 0.5), percentile(took, 0.99), cpu_ms))
    names = ("p50_ms", "p99_ms", "cpu_ms")
    columns = zip(names, zip(*rounds, strict=True), strict=True)
    return {name: round(statistics.median(values), 1) for name, values in columns}
