"""`hv eval mining`: how well workflows are found in what was recorded."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.evaluation_of_commands import read_trace
from services.cli.options import AsJson
from services.cli.outcome import CliError

if TYPE_CHECKING:
    from shared.learning.records import RecordedCommand
    from shared.mining.mine import Mined
    from shared.mining.proposals import Proposal

LEVELS: Final = (0.0, 0.1, 0.2, 0.3)
"""Noise of the corpora; see `shared.mining.planted.Noise`."""


def mining(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Traces to mine; without, corpora are made.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Corpora of each level.")] = 5,
    first: Annotated[int, typer.Option(min=0, max=200, help="Proposals that are shown.")] = 10,
    commands: Annotated[
        int, typer.Option(min=0, help="Make one corpus of so many, and measure time and memory.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how well workflows are found in recorded commands.

    Without files: corpora with planted workflows in noise, precision and recall by the level of the
    noise. With traces (the format stands in docs/learning.md): the best proposals.
    """
    if commands:
        _measured(commands, as_json)
    elif files:
        _of_traces(files, first, as_json)
    else:
        _of_corpora(seeds, as_json)


def _of_corpora(seeds: int, as_json: bool) -> None:
    rows = []
    for name, noise in _noises():
        invented = name.startswith("invented")
        figures = [_judged(seed, noise, invented=invented) for seed in range(seeds)]
        rows.append({"noise": name, **_means(figures)})
    typer.echo(json.dumps({"levels": rows}) if as_json else _table(rows))


def _noises() -> Iterator[tuple[str, Any]]:
    from shared.mining.planted import Noise

    for level in LEVELS:
        yield f"{level:.1f}", Noise.level(level)
    yield "dropped 0.3", Noise(dropped=0.3)
    yield "swapped 0.3", Noise(swapped=0.3)
    yield "between 1.5", Noise(between=1.5)
    yield "together 0.5", Noise(together=0.5)
    yield "invented 0.0", Noise.level(0.0)
    yield "invented 0.2", Noise.level(0.2)
    yield "nothing planted", None


def _judged(seed: int, noise: Any, *, invented: bool) -> dict[str, float]:
    from shared.mining.invented import invented as some
    from shared.mining.judging import judged
    from shared.mining.planted import WORKFLOWS, Noise, corpus

    planted = () if noise is None else some(1_000 + seed) if invented else WORKFLOWS
    made = corpus(seed, noise or Noise(), planted=planted)
    begun = time.perf_counter()
    found = _mine(made.commands)
    return {
        "commands": len(made.commands),
        **asdict(judged(found.proposals, made.planted)),
        "seconds": time.perf_counter() - begun,
    }


def _means(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(mean(one[name] for one in figures), 3) for name in figures[0]}


def _table(rows: Sequence[dict[str, Any]]) -> str:
    names = ("commands", "planted", "proposals", "found", "precision", "recall", "steps",
             "parameters", "order", "seconds")  # fmt: skip
    lines = ["noise            " + "".join(f"{name:>11}" for name in names)]
    for row in rows:
        lines.append(f"{row['noise']:<17}" + "".join(f"{row[name]:>11.2f}" for name in names))
    return "\n".join(lines)


def _of_traces(files: Sequence[Path], first: int, as_json: bool) -> None:
    commands = [command for path in files for command in _recorded(path)]
    if not commands:
        raise CliError("no commands")
    found = _mine(commands)
    if as_json:
        shown = [one.model_dump(mode="json") for one in found.proposals[:first]]
        typer.echo(json.dumps({**_looked_at(found), "proposals": shown}))
        return
    typer.echo("  ".join(f"{name} {value}" for name, value in _looked_at(found).items()))
    for number, one in enumerate(found.proposals[:first], 1):
        typer.echo(_told(number, one))


def _recorded(path: Path) -> Iterator[RecordedCommand]:
    from shared.learning.records import LINE_LIMIT, RecordedCommand

    for number, row in enumerate(read_trace(path)):
        one, where = row.recorded, row.recorded.situation
        yield RecordedCommand(
            id=f"{path.name}-{number}",
            at_ms=int((row.at or 0.0) * 1_000),
            user=where.user[:200],
            command=one.command[:LINE_LIMIT],
            session=where.session[:200],
            cwd=where.cwd[:1_000],
            host=where.host[:200],
            shell=where.shell[:200],
            exit=one.exit,
            more_lines=one.more_lines,
        )


def _mine(commands: Sequence[RecordedCommand]) -> Mined:
    from shared.commands.registry import BUILTIN, CommandRegistry
    from shared.mining.mine import mine

    return mine(commands, CommandRegistry(BUILTIN))


def _looked_at(found: Mined) -> dict[str, Any]:
    fields = asdict(found)
    fields["proposals"] = len(found.proposals)
    return fields


def _told(number: int, one: Proposal) -> str:
    support, saving = one.support, one.saving
    whose = f" (of {one.owner} alone)" if one.owner else ""
    lines = [
        f"\n{number}. {one.title}{whose}",
        (
            f"   {support.runs} runs in {support.sessions} sessions of {support.users} users, "
            f"chance 10^{support.log10_p:.0f}, saves {saving.per_run_s:.0f} s a run"
            f"{'' if saving.measured else ' (assumed)'}, score {one.score:.1f}"
        ),
    ]
    waits = [step.depends_on for step in one.template.steps]
    for step, line, after in zip(one.template.steps, one.steps, waits, strict=True):
        lines.append(f"   {step.id:<20} {line}{'   after ' + ', '.join(after) if after else ''}")
    return "\n".join(lines)


def _measured(many: int, as_json: bool) -> None:
    """Time and memory on one corpus of so many commands."""
    from shared.mining.planted import Noise, corpus

    users = 40
    made = corpus(1, Noise.level(0.2), users=users, sessions=max(2, many // (9 * users)))
    commands = made.commands[:many]
    before = _megabytes()
    begun = time.process_time()
    found = _mine(commands)
    figures = {
        "commands": len(commands),
        "seconds_of_processor": round(time.process_time() - begun, 1),
        "memory_mb": round(_megabytes() - before, 1),
        **_looked_at(found),
    }
    told = "\n".join(f"{k}: {v}" for k, v in figures.items())
    typer.echo(json.dumps(figures) if as_json else told)


def _megabytes() -> float:
    """The most memory that this process had so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
