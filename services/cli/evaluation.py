"""`hv eval`: how good the models are, on data of yours; nothing is sent or kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.evaluation_of_commands import commands
from services.cli.evaluation_of_mining import mining
from services.cli.evaluation_of_outcomes import outcomes
from services.cli.evaluation_pictures import draw_or_say
from services.cli.options import AsJson
from services.cli.outcome import CliError, told

if TYPE_CHECKING:
    from shared.ports.embedder import Embedder
    from shared.suggest.matcher import Labelled, Matcher
    from shared.suggest.scores import Judged
    from shared.workflow.definition import Template

MAX_LINE: Final = 1 << 20
"""Bytes of one line of a file of texts."""

MAX_TEXTS: Final = 200_000


def register(app: typer.Typer) -> None:
    """Add `eval`."""
    group = typer.Typer(help="Measure how good the models are, on data of yours.")
    group.callback(no_args_is_help=True)(_root)
    group.command("text")(told(text))
    group.command("commands")(told(commands))
    group.command("outcomes")(told(outcomes))
    group.command("mining")(told(mining))
    app.add_typer(group, name="eval")


def _root() -> None:
    """Measure how good the models are, on data of yours: 0 if it was measured."""


def text(
    file: Annotated[Path, typer.Argument(help='Lines of {"text": …, "label": ID or null}; or -.')],
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Tell it each label after its answer.")
    ] = False,
    templates: Annotated[
        list[Path] | None,
        typer.Option("--template", help="A file to know beside the built-in templates; repeat."),
    ] = None,
    lexical: Annotated[
        bool, typer.Option("--lexical", help="Without the model of meaning, if there is one.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw calibration and accuracy over time into this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well texts are matched to templates: alerts, notices, tickets, prose.

    Without --feedback nothing is learned from the labels. The figures are explained in
    docs/suggestion.md.
    """
    # A product of small matrices is slower on two threads, by far where cores are busy.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    known = _known(templates or [])
    labelled = list(_read(file, set(known)))
    if not labelled:
        raise CliError(f"{file}: no texts")
    matcher, embedder = _matcher(known.values(), lexical)
    judged, times = _judge(matcher, labelled, feedback)
    if plot is not None:
        _draw(plot, file, judged, feedback)
    figures = _figures(judged, times, embedder.name if embedder is not None else None)
    typer.echo(json.dumps(figures) if as_json else _told(figures))


def _known(files: Sequence[Path]) -> dict[str, Template]:
    """The built-in templates and those of the files, by id."""
    from shared.templates.document import TemplateFileError
    from shared.templates.loader import builtin, load_file

    known = {template.id: template for template in builtin()}
    for path in files:
        try:
            template = load_file(path)
        except TemplateFileError as error:
            raise CliError(f"{path}: {error}") from None
        known[template.id] = template
    return known


def _matcher(templates: Iterable[Template], lexical: bool) -> tuple[Matcher, Embedder | None]:
    from shared.adapters.models.minilm import ModelUnreadableError, installed_model
    from shared.suggest.matcher import Matcher

    try:
        embedder = None if lexical else installed_model()
    except ModelUnreadableError as error:
        raise CliError(str(error)) from None
    return Matcher(templates, embedder), embedder


def _read(path: Path, known: set[str]) -> Iterator[Labelled]:
    """The labelled texts of a file; what is wrong is told with its line."""
    with ExitStack() as open_files:
        for number, line in enumerate(_lines(path, open_files), 1):
            if number > MAX_TEXTS:
                raise CliError(f"{path}: more than {MAX_TEXTS} lines")
            if line.strip():
                yield _labelled(line, f"{path}, line {number}", known)


def _lines(path: Path, open_files: ExitStack) -> Iterator[bytes]:
    file: IO[bytes]
    if str(path) == "-":
        file = typer.get_binary_stream("stdin")
    else:
        try:
            file = open_files.enter_context(path.open("rb"))
        except OSError as error:
            raise CliError(f"{path}: {error.strerror}") from None
    while line := file.readline(MAX_LINE + 1):
        yield line


def _labelled(line: bytes, where: str, known: set[str]) -> Labelled:
    from shared.suggest.matcher import Labelled

    if len(line) > MAX_LINE:
        raise CliError(f"{where}: longer than {MAX_LINE} bytes")
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CliError(f"{where}: not JSON: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise CliError(f'{where}: must be an object with "text", a string')
    if "label" not in value:
        raise CliError(f'{where}: "label" is missing; null says that nothing fits')
    label = value["label"]
    if label is not None and label not in known:
        raise CliError(f'{where}: "label" is no template: {label!r}; known: {sorted(known)}')
    return Labelled(value["text"], label)


def _judge(
    matcher: Matcher, labelled: Sequence[Labelled], feedback: bool
) -> tuple[list[Judged], list[float]]:
    """Every answer, and the seconds of each (with what was learned, if it was)."""
    from shared.suggest.scores import Judged

    judged, times = [], []
    for one in labelled:
        begun = time.perf_counter()
        answer = matcher.learn(one.text, one.template) if feedback else matcher.match(one.text)
        times.append(time.perf_counter() - begun)
        best = answer.best
        judged.append(
            Judged(one.template, best.template if best is not None else None, answer.confidence)
        )
    return judged, times


def _figures(judged: list[Judged], times: list[float], model: str | None) -> dict[str, Any]:
    import numpy as np

    from shared.suggest.scores import scores_of

    scores = asdict(scores_of(judged))
    nothing = {
        "precision": scores.pop("nothing_precision"),
        "recall": scores.pop("nothing_recall"),
    }
    p50, p99 = (float(np.percentile(times, q)) * 1_000 for q in (50, 99))
    return {
        **scores,
        "nothing": nothing,
        "ms": {"p50": round(p50, 3), "p99": round(p99, 3)},
        "model": model,
    }


def _draw(folder: Path, file: Path, judged: Sequence[Judged], feedback: bool) -> None:
    from shared.learning.scores import Outcome

    title = f"{file.name.split('.')[0] or 'texts'}-{'feedback' if feedback else 'text'}"
    outcomes = [Outcome(int(one.label == one.answer), one.confidence) for one in judged]
    draw_or_say(folder, title, outcomes, among=(1,), of="texts")


def _told(figures: dict[str, Any]) -> str:
    nothing = figures["nothing"]
    rows = [
        ("texts", str(figures["n"])),
        ("right", f"{figures['acc1']:.3f}"),
        ("right, mean of the labels", f"{figures['macro']:.3f}"),
        ("calibration error", f"{figures['ece']:.3f}"),
        ("nothing fits: precision", _share(nothing["precision"])),
        ("nothing fits: recall", _share(nothing["recall"])),
        ("ms a text, p50 / p99", f"{figures['ms']['p50']:.1f} / {figures['ms']['p99']:.1f}"),
        ("model of meaning", figures["model"] or "none: words and cues alone"),
    ]
    return "\n".join(f"{name:<27}{value}" for name, value in rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
