"""`hv bench forecast`: how long it takes to foresee a run, and to look at one in the live system.

Forecasts are made in this process, on one core, from earlier runs that are made up: the same in
every round. The look is that of a real validator over real servers; the agents are seats of this
process, each of which answers at once, so that it is the validator that is measured.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from services.cli.bench.measure import percentile
from services.cli.bench.stack import BenchStack, bench_stack
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.control import NatsControlSeat
from shared.adapters.nats.validator import NatsValidator
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts.agents import AgentRecord
from shared.contracts.control import PRECHECK
from shared.contracts.prechecks import PrecheckAnswer, PrecheckQuestion
from shared.contracts.validation import ValidationQuestion
from shared.forecast.experience import Attempts, Nothing, distribution
from shared.forecast.forecasting import forecast
from shared.forecast.world import World
from shared.runtime.clock import SystemClock
from shared.workflow.definition import Template
from shared.workflow.program import compile_template

ROUNDS: Final = 5
LOOKS: Final = 50
AGENTS: Final = 100
STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured; the defaults are those of the recorded figures."""

    rounds: int = ROUNDS
    runs: int = 1_000
    looks: int = LOOKS
    agents: int = AGENTS


class _Seen(Nothing):
    """A hundred earlier runs, in which one attempt in fifty failed."""

    runs = 100

    def attempts(self, step: str, agent: str = "") -> Attempts:  # noqa: ARG002 - the port
        took = distribution([0.5 + n / 50 for n in range(100)])
        return Attempts(ended=100, failed=2, durations_s=took)


def steps_of(count: int, **more: Any) -> list[dict[str, Any]]:
    """Steps in rows of three, each of which waits for two of the row before."""
    return [
        {
            "id": f"s{n}",
            "command": "shell",
            "parameters": {"script": "systemctl restart x"},
            "depends_on": [f"s{m}" for m in range(max(n - 4, 0), n - 2)],
            **more,
        }
        for n in range(count)
    ]


def templates() -> Iterator[tuple[str, Template]]:
    """What is foreseen, by name."""
    shapes: Mapping[str, list[dict[str, Any]]] = {
        f"{STEPS} steps": steps_of(STEPS),
        f"{STEPS} steps, retried": steps_of(STEPS, retry={"max_attempts": 3}),
        f"{STEPS} steps, one core run each": steps_of(STEPS, lock="one"),
        "100 steps": steps_of(100),
    }
    for name, steps in shapes.items():
        yield name, Template.model_validate({"id": "bench", "name": name, "steps": steps})


def run(load: Load, console: Console) -> dict[str, dict[str, Any]]:
    """The figures: one column for forecasts, one for looks."""

    def report(text: str) -> None:
        console.print(f"[dim]{text}[/dim]")

    found: dict[str, Any] = {}
    for name, template in templates():
        report(f"{load.rounds} forecasts of {load.runs} runs: {name}")
        found[name] = _forecasts(template, load)
    report("starting a stack")
    with bench_stack("relaxed") as stack:
        report(f"{load.looks} looks with {load.agents} agents")
        found["looks"] = asyncio.run(_looks(stack, load))
    return {"forecast": found}


def _forecasts(template: Template, load: Load) -> dict[str, Any]:
    registry = CommandRegistry.builtin()
    program = compile_template(template, signatures(registry))
    took: list[float] = []
    cpu: list[float] = []
    for seed in range(load.rounds):
        began, cpu_began = time.perf_counter(), time.process_time()
        made = forecast(program, {}, World(registry), _Seen(), runs=load.runs, seed=seed)
        took.append(time.perf_counter() - began)
        cpu.append(time.process_time() - cpu_began)
    return {
        "median_s": round(statistics.median(took), 3),
        "median_cpu_s": round(statistics.median(cpu), 3),
        "runs": made.runs,
        "played_by_the_core": made.played,
        "runs_per_s": round(made.runs / statistics.median(took)),
    }


async def _looks(stack: BenchStack, load: Load) -> dict[str, Any]:
    async with AsyncExitStack() as closing:
        agents = await connect(stack.executor_url, "bench agents")
        closing.push_async_callback(agents.close)
        names = [f"bench-{n}" for n in range(load.agents)]
        for name in names:
            await NatsControlSeat(agents, name).answer(PRECHECK, _answer)
        bus = await connect(stack.nats_url, "bench")
        closing.push_async_callback(bus.close)
        announcing = asyncio.create_task(_announce(agents, names))
        closing.callback(announcing.cancel)
        await asyncio.sleep(1)
        validator = NatsValidator(bus)
        target = {"labels": {"bench": "yes"}}
        steps = steps_of(STEPS, target=target, irreversible="nothing runs here")
        template = Template.model_validate({"id": "bench", "name": "bench", "steps": steps})
        return {
            "strict": await _timed(validator, template, "strict", load.looks),
            "paranoid": await _timed(validator, template, "paranoid", max(load.looks // 5, 1)),
        }


async def _announce(bus: Bus, names: list[str]) -> None:
    """As agents do, every two seconds."""
    directory, clock = NatsAgentDirectory(bus), SystemClock()
    while True:
        now_ms = clock.now_ms()
        for name in names:
            record = AgentRecord(
                name=name,
                host=name,
                version="bench",
                labels={"bench": "yes"},
                capabilities=("shell",),
                started_at_ms=now_ms,
                seen_at_ms=now_ms,
            )
            await directory.announce(record)
        await asyncio.sleep(2)


async def _answer(_question: PrecheckQuestion) -> PrecheckAnswer:
    return PrecheckAnswer(now_ms=SystemClock().now_ms())


async def _timed(
    validator: NatsValidator, template: Template, level: str, count: int
) -> dict[str, float]:
    question = ValidationQuestion.model_validate(
        {"template": template, "level": level, "parameters": {}}
    )
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        answer = await validator.look(question)
        took.append((time.perf_counter() - began) * 1000)
        wrong = [f.message for f in answer.findings if f.code in ("no-agent", "not-looked-at")]
        if wrong:
            raise RuntimeError(f"this look means nothing: {wrong[0]}")
    return {
        "p50_ms": round(percentile(took, 0.5), 1),
        "p99_ms": round(percentile(took, 0.99), 1),
    }
