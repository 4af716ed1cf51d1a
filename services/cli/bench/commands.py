"""The command `hv bench`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from ops.nats.config import Durability


class BenchName(StrEnum):
    """What can be measured."""

    ENGINE = "engine"
    CURVE = "curve"
    FAULTS = "faults"
    CAPTURES = "captures"
    FORECAST = "forecast"
    VALIDATION = "validation"
    ANALYTICS = "analytics"
    SUGGESTIONS = "suggestions"
    LEARNING = "learning"


class Variant(StrEnum):
    """Which durability."""

    BOTH = "both"
    RELAXED = "relaxed"
    SAFE = "safe"


def register(app: typer.Typer) -> None:
    """Add `bench`."""
    app.command()(bench)


def bench(
    name: Annotated[BenchName, typer.Argument(help="What to measure.")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file as JSON.")
    ] = None,
    durability: Annotated[
        Variant, typer.Option(help="Which durability to measure.")
    ] = Variant.BOTH,
    workflows: Annotated[int, typer.Option(min=10, help="Workflows of the throughput run.")] = 2000,
    minutes: Annotated[
        float, typer.Option(min=0.1, help="faults: how long parts are killed and frozen.")
    ] = 5.0,
    seed: Annotated[int, typer.Option(help="faults: decides what is struck, and when.")] = 7,
    stored: Annotated[
        int, typer.Option(min=10, help="curve, analytics: executions stored, about.")
    ] = 100_000,
    running: Annotated[
        int, typer.Option(min=1, help="curve: executions under way at once, at most.")
    ] = 10_000,
    commands: Annotated[
        int, typer.Option(min=1_000, help="suggestions: commands that were recorded.")
    ] = 1_000_000,
    snapshot: Annotated[
        Path | None, typer.Option(help="suggestions: the model of them, if it is there.")
    ] = None,
) -> None:
    """Measure on this machine, on a stack of its own, and print the figures.

    engine: how fast workflows run. curve: what a step costs with ever more executions under way and
    stored. captures: what it costs a step that what it changes is kept before it. forecast: how
    long it takes to foresee a run, and to look at one with 100 agents. validation: how long the
    static rules take over 50 steps. analytics: how long its questions take with 100,000 executions
    stored. suggestions: how long an answer takes with 500 templates and a million commands.
    learning: how fast models learn 100,000 commands, and what their snapshots cost. faults:
    on a cluster under load, how long each kind of fault holds it up, and that nothing is lost or
    doubled; exit code 1 if anything is.
    """
    if name is BenchName.FAULTS:
        raise typer.Exit(_faults(minutes, seed, json_file))
    from services.cli.bench import engine_bench, report

    progress = Console(stderr=True)
    if name is BenchName.CURVE:
        _curve(durability, stored, running, json_file, progress)
        return
    if name is BenchName.FORECAST:
        _forecast(json_file, progress)
        return
    if name is BenchName.VALIDATION:
        _validation(json_file, progress)
        return
    if name is BenchName.SUGGESTIONS:
        _suggestions(commands, snapshot, json_file, progress)
        return
    if name is BenchName.LEARNING:
        _learning(json_file, progress)
        return
    if name is BenchName.ANALYTICS:
        _analytics(stored, json_file, progress)
        return
    both: tuple[Durability, ...] = ("relaxed", "safe")
    chosen = both if durability is Variant.BOTH else tuple(d for d in both if d == durability.value)
    if name is BenchName.CAPTURES:
        _captures(chosen, json_file, progress)
        return
    figures = engine_bench.run(chosen, engine_bench.Sizes(sequential=workflows), progress)
    Console().print(report.table(f"hv bench {name.value}", figures))
    _write(json_file, figures, progress)


def _curve(
    durability: Variant, stored: int, running: int, json_file: Path | None, progress: Console
) -> None:
    from services.cli.bench import curve_bench, report

    kind: Durability = "safe" if durability is Variant.SAFE else "relaxed"
    figures = curve_bench.run(kind, curve_bench.Extent(stored, running), progress)
    Console().print(report.rows(f"hv bench curve, {kind}", figures))
    _write(json_file, {kind: figures}, progress)


def _forecast(json_file: Path | None, progress: Console) -> None:
    from services.cli.bench import forecast_bench, report

    figures = forecast_bench.run(forecast_bench.Load(), progress)
    Console().print(report.table("hv bench forecast", figures))
    _write(json_file, figures, progress)


def _validation(json_file: Path | None, progress: Console) -> None:
    from services.cli.bench import report, validation_bench

    figures = validation_bench.run(progress)
    Console().print(report.table("hv bench validation, ms", figures))
    _write(json_file, figures, progress)


def _analytics(stored: int, json_file: Path | None, progress: Console) -> None:
    from services.cli.bench import analytics_bench, report

    figures = analytics_bench.run(analytics_bench.Load(stored), progress)
    Console().print(report.table("hv bench analytics", figures))
    _write(json_file, figures, progress)


def _suggestions(
    commands: int, snapshot: Path | None, json_file: Path | None, progress: Console
) -> None:
    from services.cli.bench import report, suggestion_bench

    load = suggestion_bench.Load(commands, snapshot=snapshot)
    figures = suggestion_bench.run(load, progress)
    Console().print(report.table("hv bench suggestions", figures))
    _write(json_file, figures, progress)


def _learning(json_file: Path | None, progress: Console) -> None:
    from services.cli.bench import learning_bench, report

    figures = learning_bench.run(learning_bench.Load(), progress)
    Console().print(report.table("hv bench learning", figures))
    _write(json_file, figures, progress)


def _captures(chosen: tuple[Durability, ...], json_file: Path | None, progress: Console) -> None:
    from services.cli.bench import captures_bench, report

    load = captures_bench.Load()
    figures = {str(kind): captures_bench.run(kind, load, progress) for kind in chosen}
    Console().print(report.table("hv bench captures", figures))
    _write(json_file, figures, progress)


def _write(json_file: Path | None, figures: object, progress: Console) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        progress.print(f"written to {json_file}")


def _faults(minutes: float, seed: int, json_file: Path | None) -> int:
    import asyncio
    import tempfile

    from services.cli.bench import report
    from services.cli.bench.faults import run
    from shared.runtime.logging import configure_logging

    configure_logging("bench", level="ERROR")  # that connections break is what is meant
    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hive-faults-") as folder:
        running = run.run(Path(folder), seconds=minutes * 60, seed=seed, report=progress.print)
        outcome = asyncio.run(running)
    Console().print(report.table("hv bench faults", {f"seed {seed}": outcome.figures()}))
    for problem in outcome.verdict.problems:
        progress.print(problem, markup=False)
    _write(json_file, outcome.record(), progress)
    return 1 if outcome.verdict.problems else 0
