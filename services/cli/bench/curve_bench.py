"""`hv bench curve`: what a step costs as ever more executions are stored, and run at once.

Every execution is real, those that only fill the database as well: workflows of one no-op step. At
each size the same load as that of `hv bench engine` is measured. The cost should not rise.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from ops.nats.config import Durability
from services.cli.bench.driver import Driver
from services.cli.bench.engine_bench import CHAIN, IN_FLIGHT, chain_template
from services.cli.bench.measure import cpu_seconds, pss_mib
from services.cli.bench.stack import BenchStack, bench_stack
from shared.workflow.definition import Template

STORED: Final = (10, 3_000, 10_000, 30_000, 100_000)
RUNNING: Final = (1, 10, 100, 1_000, 10_000)

PROBE: Final = 1_000
"""Workflows of five steps that are measured at each number of stored ones."""

LEAST: Final = 200
"""Workflows that are measured where few run at once."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far the curves go: executions stored, executions under way at once."""

    stored: int = 100_000
    running: int = 10_000


def filler_template() -> Template:
    """One no-op step."""
    steps = [{"id": "s", "command": "noop"}]
    return Template.model_validate({"id": "bench-fill", "name": "One step", "steps": steps})


def run(durability: Durability, extent: Extent, console: Console) -> dict[str, Any]:
    """Both curves, by size."""
    console.print(f"[dim]{durability}:[/dim] starting the stack")
    with bench_stack(durability) as stack:
        return asyncio.run(_measure(stack, extent, console, grouped=durability == "safe"))


async def _measure(
    stack: BenchStack, extent: Extent, console: Console, *, grouped: bool
) -> dict[str, Any]:
    async with Driver.connected(stack, grouped=grouped) as driver:
        await driver.store(chain_template())
        await driver.store(filler_template())
        stored = await _over_stored(stack, driver, extent.stored, console)
        return stored | await _over_running(stack, driver, extent.running, console)


async def _over_stored(
    stack: BenchStack, driver: Driver, most: int, console: Console
) -> dict[str, Any]:
    """The same load again and again, with more stored each time."""
    figures, done = {}, 0
    for size in (one for one in STORED if one <= most):
        if size > done:
            console.print(f"storing {size - done:,} executions of one step")
            await driver.run_many("bench-fill", size - done, IN_FLIGHT)
        figures[f"{size:,} stored"] = await _probe(stack, driver, PROBE, IN_FLIGHT, console)
        done = max(size, done) + PROBE
    return figures


async def _over_running(
    stack: BenchStack, driver: Driver, most: int, console: Console
) -> dict[str, Any]:
    """More and more at once, twice as many in all, so that as many are under way most of the
    time."""
    return {
        f"{size:,} at once": await _probe(stack, driver, max(LEAST, 2 * size), size, console)
        for size in RUNNING
        if size <= most
    }


async def _probe(
    stack: BenchStack, driver: Driver, count: int, in_flight: int, console: Console
) -> dict[str, float]:
    console.print(f"measuring {count:,} workflows, {in_flight:,} at once")
    before = cpu_seconds(stack.pids)
    started = time.perf_counter()
    await driver.run_many("bench-chain", count, in_flight)
    took = time.perf_counter() - started
    steps = count * CHAIN
    return {
        "steps_per_s": round(steps / took, 1),
        "cpu_s_per_1k_steps": round((cpu_seconds(stack.pids) - before) / steps * 1000, 3),
        "pss_mib": round(pss_mib(stack.pids), 1),
    }
