"""`hv eval commands`: recorded commands replayed through the models of the next command."""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.evaluation_pictures import draw_or_say
from services.cli.options import AsJson
from services.cli.outcome import CliError

if TYPE_CHECKING:
    from shared.learning.next_command import NextCommandModel
    from shared.learning.replaying import Replay
    from shared.learning.traces import TraceRow

MAX_ROW: Final = 1 << 20
"""Bytes of one line of a trace."""

_GZIP = b"\x1f\x8b"


class GranularityOption(StrEnum):
    """What is predicted."""

    NAME = "name"
    LINE = "line"


def commands(
    files: Annotated[list[Path], typer.Argument(help="Traces: JSON lines, plain or gzip.")],
    granularity: Annotated[
        GranularityOption, typer.Option(help="Predict the command's name or the full line.")
    ] = GranularityOption.NAME,
    interleaved: Annotated[
        bool, typer.Option("--interleaved", help="Replay by time, not in the order of the files.")
    ] = False,
    shared_after: Annotated[
        int, typer.Option(min=1, max=100, help="Users who make a text known to others.")
    ] = 2,
    plot: Annotated[
        Path | None, typer.Option(help="Draw calibration and accuracy over time into this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay recorded commands: predict each from what came before, then learn it.

    Users keep states of their own and share one collective state. What the figures mean stands in
    docs/learning.md; the format of a trace, too.
    """
    # A product of small matrices is slower on two threads, by far where cores are busy.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    rows = [row for path in files for row in read_trace(path)]
    if not rows:
        raise CliError("no commands")
    if interleaved:
        rows = _by_time(rows)
    model, done = _replayed(rows, granularity.value, shared_after)
    figures = _figures(model, done)
    if plot is not None:
        draw_or_say(plot, _title(files, granularity.value), done.outcomes)
    typer.echo(json.dumps(figures) if as_json else _told(figures))


def read_trace(path: Path) -> Iterator[TraceRow]:
    """The commands of a file; what is wrong is told with its line."""
    from shared.learning.traces import TraceError, parse_row

    for number, line in enumerate(_lines(path), 1):
        if len(line) > MAX_ROW:
            raise CliError(f"{path}, line {number}: longer than {MAX_ROW} bytes")
        if not line.strip():
            continue
        try:
            yield parse_row(line)
        except TraceError as error:
            raise CliError(f"{path}, line {number}: {error}") from None


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if packed else raw
            while line := file.readline(MAX_ROW + 1):
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CliError(f"{path}: not a whole gzip file: {error}") from None
    except OSError as error:
        raise CliError(f"{path}: {error.strerror or error}") from None


def _by_time(rows: list[TraceRow]) -> list[TraceRow]:
    timeless = sum(row.at is None for row in rows)
    if timeless:
        raise CliError(f'--interleaved needs "ts" in every command; {timeless} have none')
    return sorted(rows, key=lambda row: row.at or 0.0)


def _replayed(
    rows: Sequence[TraceRow], granularity: str, shared_after: int
) -> tuple[NextCommandModel, Replay]:
    from shared.learning.next_command import NextCommandModel
    from shared.learning.options import LearningOptions
    from shared.learning.replaying import replay

    options = LearningOptions(shared_after_users=shared_after)
    model = NextCommandModel("line" if granularity == "line" else "name", options)
    return model, replay(model, (row.recorded for row in rows), time.perf_counter)


def _figures(model: NextCommandModel, done: Replay) -> dict[str, Any]:
    from shared.learning.replaying import bytes_of
    from shared.learning.scores import scores_of

    scores = {name: round(value, 4) for name, value in asdict(scores_of(done.outcomes)).items()}
    return {
        **scores,
        "predict_us": _times(done.predicting),
        "update_us": _times(done.learning),
        "memory_mb": round(bytes_of(model) / 1e6, 2),
    }


def _times(seconds: Sequence[float]) -> dict[str, float]:
    import numpy as np

    mean, p99 = float(np.mean(seconds)), float(np.percentile(seconds, 99))
    return {"mean": round(mean * 1e6, 1), "p99": round(p99 * 1e6, 1)}


def _told(figures: dict[str, Any]) -> str:
    rows = [
        ("commands", str(figures["n"])),
        ("first is right", f"{figures['acc1']:.3f}"),
        ("among the first three", f"{figures['acc3']:.3f}"),
        ("among the first five", f"{figures['acc5']:.3f}"),
        ("mean reciprocal rank", f"{figures['mrr']:.3f}"),
        ("calibration error", f"{figures['ece']:.3f}"),
        ("µs a prediction, mean / p99", "{mean:.0f} / {p99:.0f}".format(**figures["predict_us"])),
        ("µs an update, mean / p99", "{mean:.0f} / {p99:.0f}".format(**figures["update_us"])),
        ("memory of the models, MB", f"{figures['memory_mb']:.1f}"),
    ]
    return "\n".join(f"{name:<29}{value}" for name, value in rows)


def _title(files: Sequence[Path], granularity: str) -> str:
    names = " ".join(path.name.split(".")[0] for path in files)
    return f"{names}-{granularity}"
