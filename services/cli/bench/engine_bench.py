"""`hv bench engine`: how fast the engine runs workflows, durably, with everything that is real.

Requests are stated in the journal, as the gateway does, and the end of each execution is seen as
its public event. What is counted as the stack's: NATS, MongoDB, the gateway, two executors. The
benchmark's own process is counted apart, in `client_cpu_s_per_1k_steps`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from ops.nats.config import Durability
from services.cli.bench.driver import Driver
from services.cli.bench.measure import Peak, cpu_seconds, percentile
from services.cli.bench.stack import BenchStack, bench_stack
from shared.workflow.definition import Template

CHAIN: Final = 5
SEQUENTIAL: Final = 2_000
IN_FLIGHT: Final = 400
IDLE: Final = 100
FAN: Final = 500
WARM_UP: Final = 50
REST_S: Final = 30
TAKEOVER: Final = 128
"""Enough to have some in every partition."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is run; the defaults are what the recorded figures were measured with."""

    sequential: int = SEQUENTIAL
    idle: int = IDLE
    fan: int = FAN


def chain_template(*, claimed: bool = False) -> Template:
    """Five no-op steps, one after another.

    `claimed`: as steps that change something are, each is claimed in the journal before it runs.
    """
    rest = {"on_lost": "fail"} if claimed else {}
    steps = [
        {"id": f"s{n}", "command": "noop", "depends_on": [f"s{n - 1}"] if n else [], **rest}
        for n in range(CHAIN)
    ]
    name = "bench-claimed" if claimed else "bench-chain"
    return Template.model_validate({"id": name, "name": "Five in a row", "steps": steps})


def fan_template(width: int) -> Template:
    """`width` no-op steps side by side."""
    steps = [{"id": f"s{n}", "command": "noop"} for n in range(width)]
    return Template.model_validate({"id": "bench-fan", "name": "Side by side", "steps": steps})


def run(durabilities: tuple[Durability, ...], sizes: Sizes, console: Console) -> dict[str, Any]:
    """The figures by durability."""
    return {durability: _run_one(durability, sizes, console) for durability in durabilities}


def _run_one(durability: Durability, sizes: Sizes, console: Console) -> dict[str, Any]:
    def report(text: str) -> None:
        console.print(f"[dim]{durability}:[/dim] {text}")

    report("starting the stack")
    with bench_stack(durability) as stack:
        figures = asyncio.run(_measure(stack, sizes, report, grouped=durability == "safe"))
    return figures | {"cold_start_s": round(stack.cold_start_s, 2)}


async def _measure(
    stack: BenchStack, sizes: Sizes, report: Report, *, grouped: bool
) -> dict[str, Any]:
    async with Driver.connected(stack, grouped=grouped) as driver:
        await driver.store(chain_template())
        await driver.store(chain_template(claimed=True))
        await driver.store(fan_template(sizes.fan))
        report(f"warming up with {WARM_UP} workflows")
        await driver.run_many("bench-chain", WARM_UP, IN_FLIGHT)
        report(f"latency of {sizes.idle} workflows, one at a time")
        latency = await _latency(driver, sizes.idle)
        report(f"fan-out of {sizes.fan} steps")
        fanout = [await driver.run_one("bench-fan") for _ in range(3)]
        report("waiting until the services have made their models of the new templates")
        await _at_rest(stack)
        report(f"throughput of {sizes.sequential} workflows of {CHAIN} steps")
        sequential = await _sequential(stack, driver, "bench-chain", sizes.sequential)
        report("the same, each step claimed before it runs")
        claimed = await _sequential(stack, driver, "bench-claimed", sizes.sequential)
        report(f"kill -9 of an executor, then {TAKEOVER} workflows over every partition")
        takeover_s = await _takeover(stack, driver)
    return {
        "sequential": sequential,
        "claimed": {name: claimed[name] for name in ("steps_per_s", "cpu_s_per_1k_steps")},
        "latency_ms": latency,
        "fanout": {"steps": sizes.fan, "seconds": round(sorted(fanout)[1], 3)},
        "takeover_s": round(takeover_s, 2),
    }


async def _at_rest(stack: BenchStack) -> None:
    """Until no process takes more than a tenth of a core, or for half a minute."""
    before = cpu_seconds(stack.pids)
    for _ in range(REST_S):
        await asyncio.sleep(1)
        now = cpu_seconds(stack.pids)
        if now - before < 0.1 * len(stack.pids):
            return
        before = now


async def _latency(driver: Driver, count: int) -> dict[str, float]:
    took = [await driver.run_one("bench-chain") * 1000 for _ in range(count)]
    return {f"p{share}": round(percentile(took, share / 100), 2) for share in (50, 95, 99)}


async def _takeover(stack: BenchStack, driver: Driver) -> float:
    """Seconds from the death of a coordinator until work in each of its partitions has ended."""
    os.kill(stack.pids_by_name["executor-2"], signal.SIGKILL)
    started = time.perf_counter()
    await driver.run_many("bench-chain", TAKEOVER, TAKEOVER)
    return time.perf_counter() - started


async def _sequential(
    stack: BenchStack, driver: Driver, template_id: str, count: int
) -> dict[str, float]:
    steps = count * CHAIN
    before = {name: cpu_seconds([pid]) for name, pid in stack.pids_by_name.items()}
    client = time.process_time()
    async with Peak(stack.pids) as peak:
        started = time.perf_counter()
        await driver.run_many(template_id, count, IN_FLIGHT)
        took = time.perf_counter() - started
    used = {n: cpu_seconds([pid]) - before[n] for n, pid in stack.pids_by_name.items()}
    return {
        "workflows": count,
        "seconds": round(took, 3),
        "workflows_per_s": round(count / took, 1),
        "steps_per_s": round(steps / took, 1),
        "cpu_s_per_1k_steps": round(sum(used.values()) / steps * 1000, 3),
        "client_cpu_s_per_1k_steps": round((time.process_time() - client) / steps * 1000, 3),
        "peak_pss_mib": round(peak.mib, 1),
        **{f"cpu_s_per_1k_steps.{n}": round(s / steps * 1000, 3) for n, s in used.items()},
    }
