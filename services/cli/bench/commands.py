"""The command `hv bench`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


class BenchName(StrEnum):
    """What can be measured."""

    ENGINE = "engine"


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
) -> None:
    """Measure on this machine, on a stack of its own, and print the figures."""
    from ops.nats.config import Durability
    from services.cli.bench import engine_bench, report

    progress = Console(stderr=True)
    both: tuple[Durability, ...] = ("relaxed", "safe")
    chosen = both if durability is Variant.BOTH else tuple(d for d in both if d == durability.value)
    figures = engine_bench.run(chosen, engine_bench.Sizes(sequential=workflows), progress)
    Console().print(report.table(f"hv bench {name.value}", figures))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        progress.print(f"written to {json_file}")
