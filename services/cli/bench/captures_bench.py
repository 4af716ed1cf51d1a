"""`hv bench captures`: what it costs a step that what it changes is kept before it.

A workflow of five `file` steps, one after another, each of which copies a file over another one,
runs with and without captures (`rollback_enabled`) in turn: what else the machine does meets both.
The sources are random, so they do not get smaller; there are as many as rounds and steps, so that
no content is kept before it is measured, but for the row of known contents.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from ops.nats.config import Durability
from services.cli.bench.driver import Driver
from services.cli.bench.measure import cpu_seconds, percentile
from services.cli.bench.stack import BenchStack, bench_stack
from shared.workflow.definition import Template

CHAIN: Final = 5
ROUNDS: Final = 20
MANY: Final = 200
IN_FLIGHT: Final = 100
SIZES: Final = {"300 B": 300, "100 KiB": 100 * 1024, "1 MiB": 1024**2, "10 MiB": 10 * 1024**2}
KNOWN: Final = "1 MiB, known"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How much is run; the defaults are what the recorded figures were measured with."""

    sizes: Mapping[str, int] = field(default_factory=lambda: SIZES)
    known_bytes: int = SIZES["1 MiB"]
    rounds: int = ROUNDS
    many: int = MANY


def copying(folder: Path, agent: str, sources: list[Path], *, captured: bool) -> Template:
    """Five steps, each of which copies one of the sources over the same file."""
    steps = [
        {
            "id": f"s{n}",
            "command": "file",
            "parameters": {
                "operation": "copy",
                "source": str(source),
                "path": f"{folder}/${{{{ execution.id }}}}",
            },
            "target": {"host": agent},
            "depends_on": [f"s{n - 1}"] if n else [],
        }
        for n, source in enumerate(sources)
    ]
    kind = "captured" if captured else "plain"
    name = f"bench-{folder.parent.name}-{folder.name}-{kind}"
    policies = {"rollback_enabled": captured}
    return Template.model_validate({"id": name, "name": name, "steps": steps, "policies": policies})


def run(durability: Durability, load: Load, console: Console) -> dict[str, Any]:
    """The figures by size of the file."""

    def report(text: str) -> None:
        console.print(f"[dim]{durability}:[/dim] {text}")

    report("starting the stack")
    with bench_stack(durability) as stack:
        return asyncio.run(_measure(stack, load, report, grouped=durability == "safe"))


async def _measure(
    stack: BenchStack, load: Load, report: Report, *, grouped: bool
) -> dict[str, Any]:
    agents = await asyncio.to_thread(lambda: sorted((stack.home / "agents").iterdir()))
    agent = agents[0]
    async with Driver.connected(stack, grouped=grouped) as driver:
        figures: dict[str, Any] = {}
        for name, size in {**load.sizes, KNOWN: load.known_bytes}.items():
            report(f"{load.rounds} workflows with files of {name}, with and without captures")
            folder = agent / f"bench{len(figures)}"
            rounds = [0] * load.rounds if name == KNOWN else list(range(load.rounds))
            figures[name] = await _latencies(driver, folder, agent.name, size, rounds)
        report(f"{load.many} workflows with small files, {IN_FLIGHT} at once")
        figures["many"] = await _throughput(
            stack, driver, agent / "bench-many", agent.name, load.many
        )
    return figures


async def _latencies(
    driver: Driver, folder: Path, agent: str, size: int, rounds: list[int]
) -> dict[str, float]:
    """Milliseconds of a step: with and without, and the difference of the medians. What has the
    same number in `rounds` has the same contents."""
    took: dict[bool, list[float]] = {False: [], True: []}
    await asyncio.to_thread(folder.mkdir)
    for turn, number in enumerate(rounds):
        for captured in (False, True):
            place = folder / f"r{number}-{int(captured)}"
            sources = await asyncio.to_thread(_sources, place, size)
            template = copying(place, agent, sources, captured=captured)
            await driver.store(template)
            seconds = await driver.run_one(template.id)
            if turn:  # the first round warms up, and makes the known contents known
                took[captured].append(seconds / CHAIN * 1000)
    plain, kept = (percentile(took[captured], 0.5) for captured in (False, True))
    return {
        "plain_ms": round(plain, 2),
        "captured_ms": round(kept, 2),
        "captured_p95_ms": round(percentile(took[True], 0.95), 2),
        "capture_ms": round(kept - plain, 2),
    }


def _sources(place: Path, size: int) -> list[Path]:
    """Files of random content, made once."""
    place.mkdir(exist_ok=True)
    files = [place / f"source{n}" for n in range(CHAIN)]
    for file in files:
        if not file.exists():
            file.write_bytes(os.urandom(size))
    return files


async def _throughput(
    stack: BenchStack, driver: Driver, folder: Path, agent: str, many: int
) -> dict[str, float]:
    sources = await asyncio.to_thread(_sources, folder, SIZES["300 B"])
    figures: dict[str, float] = {}
    for captured in (False, True):
        template = copying(folder, agent, sources, captured=captured)
        await driver.store(template)
        before, started = cpu_seconds(stack.pids), time.perf_counter()
        await driver.run_many(template.id, many, IN_FLIGHT)
        took, steps = time.perf_counter() - started, many * CHAIN
        kind = "captured" if captured else "plain"
        figures[f"{kind}_steps_per_s"] = round(steps / took, 1)
        used = cpu_seconds(stack.pids) - before
        figures[f"{kind}_cpu_s_per_1k_steps"] = round(used / steps * 1000, 3)
    return figures
