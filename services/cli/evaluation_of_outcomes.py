"""`hv eval outcomes`: predictions of success on made-up histories of which the truth is known.

Each history has categories, templates and agents with rates of their own, values of parameters that
matter in some templates, and templates that change in the middle. Each run is predicted from what
came before it, then learned. "The truth" is the score of whoever knows every rate.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.options import AsJson

if TYPE_CHECKING:
    import numpy as np

    from shared.learning.records import RunRecord
    from shared.outcomes.success import SuccessModel
    from shared.outcomes.views import Chance

DAY_MS: Final = 86_400_000
BEGIN_MS: Final = 1_700_000_000_000
DAYS: Final = 180
BINS: Final = 15
CATEGORIES: Final = 6
TAIL: Final = 0.025
_BY_RUNS: Final = ((0, 0, "none"), (1, 5, "1 to 5"), (6, 20, "6 to 20"), (21, 10**9, "more"))


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of histories are made: the share of templates that change in the middle, and of
    those where a value of a parameter matters."""

    runs: int
    templates: int
    changing: float = 0.1
    mattering: float = 0.2


@dataclass(frozen=True, slots=True)
class Made:
    """A run, the chance that it had, how many runs of its template came before, and whether the
    template has changed, or a value of this run makes it differ."""

    run: RunRecord
    truth: float
    before: int
    changed: bool = False
    differs: bool = False


@dataclass(slots=True)
class Intervals:
    """How many intervals hold the truth, how wide they are, and what both together cost: the width,
    and 40 times how far the truth is outside (the interval score of Gneiting and Raftery, 2007)."""

    within: list[bool] = field(default_factory=list)
    wide: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)

    def add(self, chance: Chance, truth: float) -> None:
        """One more."""
        self.within.append(chance.low <= truth <= chance.high)
        self.wide.append(chance.high - chance.low)
        outside = max(chance.low - truth, truth - chance.high, 0.0)
        self.cost.append(chance.high - chance.low + outside / TAIL)

    def figures(self) -> dict[str, float]:
        """Shares and means."""
        n = max(len(self.wide), 1)
        totals = {"covers": sum(self.within), "width": sum(self.wide), "score": sum(self.cost)}
        return {"n": len(self.wide), **{k: round(some / n, 4) for k, some in totals.items()}}


@dataclass(slots=True)
class Scored:
    """Predictions and what came."""

    predicted: list[float]
    came: list[bool]

    def figures(self) -> dict[str, float]:
        """The mean squared error (Brier), and the expected calibration error in equal bins."""
        import numpy as np

        predicted, came = np.array(self.predicted), np.array(self.came, dtype=float)
        if not len(predicted):
            return {"n": 0, "brier": float("nan"), "ece": float("nan")}
        place = np.minimum((predicted * BINS).astype(int), BINS - 1)
        apart = [
            abs(float(predicted[place == b].sum() - came[place == b].sum())) for b in range(BINS)
        ]
        return {
            "n": len(predicted),
            "brier": round(float(np.mean((predicted - came) ** 2)), 4),
            "ece": round(sum(apart) / len(predicted), 4),
        }


def outcomes(
    runs: Annotated[int, typer.Option(min=100, max=100_000, help="Runs of a history.")] = 4_000,
    templates: Annotated[int, typer.Option(min=6, max=2_000, help="Its templates.")] = 120,
    histories: Annotated[int, typer.Option(min=1, max=50, help="How many are made.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Makes others.")] = 1,
    changing: Annotated[
        float, typer.Option(min=0, max=1, help="Share of templates that change midway.")
    ] = 0.1,
    mattering: Annotated[
        float, typer.Option(min=0, max=1, help="Share with a value that matters.")
    ] = 0.2,
    as_json: AsJson = False,
) -> None:
    """Predict made-up runs of which the truth is known, each from those before it.

    The figures are explained in docs/how-to/predictions.md.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    figures = measured(Kind(runs, templates, changing, mattering), histories, seed)
    typer.echo(json.dumps(figures) if as_json else _told(figures))


def measured(kind: Kind, histories: int, seed: int) -> dict[str, Any]:
    """The figures of several histories together."""
    ways = ("ours", "own runs alone", "the truth")
    scored = {way: Scored([], []) for way in ways}
    by_runs = {name: {way: Scored([], []) for way in ways} for _, _, name in _BY_RUNS}
    intervals: dict[str, Intervals] = {"all": Intervals()}
    took = []
    for number in range(histories):
        for one, chance, alone, spent in _predicted(kind, seed * 1_000 + number):
            took.append(spent)
            name = next(n for low, high, n in _BY_RUNS if low <= one.before <= high)
            for group in _groups(one, name):
                intervals.setdefault(group, Intervals()).add(chance, one.truth)
            found = (chance.probability, alone, one.truth)
            for way, value in zip(ways, found, strict=True):
                for kept in (scored[way], by_runs[name][way]):
                    kept.predicted.append(value)
                    kept.came.append(one.run.status == "completed")
    return {
        "runs": kind.runs * histories,
        "all": {way: one.figures() for way, one in scored.items()},
        "by_runs": {n: {w: s.figures() for w, s in some.items()} for n, some in by_runs.items()},
        "intervals": {name: one.figures() for name, one in intervals.items()},
        "predict_us": round(sum(took) / len(took) * 1e6),
    }


def _groups(one: Made, by_runs: str) -> Iterator[str]:
    yield "all"
    yield f"earlier runs: {by_runs}"
    if one.changed:
        yield "templates that have changed"
    if one.differs:
        yield "a value that matters"


def _predicted(kind: Kind, seed: int) -> Iterator[tuple[Made, Chance, float, float]]:
    """Each run with our prediction, that of its template's own runs, and the seconds that ours
    took."""
    from shared.outcomes.predicting import predict
    from shared.outcomes.success import SuccessModel

    model = SuccessModel()
    for place, one in enumerate(history(kind, seed), 1):
        begun = time.perf_counter()
        known, category, agent = _views(model, one.run)
        found = predict(one.run.template_id, known, category, one.run.parameters, agent)
        spent = time.perf_counter() - begun
        counts = model.templates.get(one.run.template_id)
        tally = counts.tally if counts is not None else None
        alone = (tally.succeeded + 1) / (tally.runs + 2) if tally is not None else 0.5
        yield one, found.chance, alone, spent
        model.apply(one.run, place)


def _views(model: SuccessModel, run: RunRecord) -> Any:
    from shared.outcomes.lasting import DurationModel
    from shared.outcomes.trials import TrialModel
    from shared.outcomes.tuning import Evidence
    from shared.outcomes.viewing import agent_view, category_view, template_view

    evidence = Evidence(model, DurationModel(), TrialModel(), run.created_at_ms)
    agent = run.attempts[0].agent
    return (
        template_view(run.template_id, evidence),
        category_view(run.category, evidence),
        agent_view(agent, evidence),
    )


def history(kind: Kind, seed: int) -> Iterator[Made]:
    """Runs in order of time."""
    import numpy as np

    draw = np.random.default_rng(seed)
    world = _World(draw, kind)
    seen = [0] * kind.templates
    for number in range(kind.runs):
        template = min(int(draw.zipf(1.3)) - 1, kind.templates * 50) % kind.templates
        made = world.run(draw, number, template, DAYS * number / kind.runs)
        yield replace(made, before=seen[template])
        seen[template] += 1


class _World:
    """The rates of everything."""

    def __init__(self, draw: np.random.Generator, kind: Kind) -> None:
        templates = kind.templates
        means = draw.beta(0.87 * 12, 0.13 * 12, CATEGORIES)
        self.category = draw.integers(0, CATEGORIES, templates)
        own = _inside(means[self.category])
        self.rate = draw.beta(own * 8, (1 - own) * 8)
        self.later = _inside(draw.beta(own * 8, (1 - own) * 8))
        self.changes = draw.random(templates) < kind.changing
        self.matters = draw.random(templates) < kind.mattering
        self.factor = draw.choice([1.0, 1.0, 1.0, 1.0, 3.0], 10)

    def run(self, draw: np.random.Generator, number: int, template: int, day: float) -> Made:
        """One run, and the chance that it had to succeed."""
        from shared.learning.records import RunAttempt, RunRecord
        from shared.outcomes.believing import moved

        changed = bool(self.changes[template]) and day > DAYS / 2
        truth = float((self.later if changed else self.rate)[template])
        region = ["eu", "us", "ap"][int(draw.integers(0, 3))]
        differs = bool(self.matters[template]) and region == "ap"
        if differs:
            truth = moved(truth, 8.0)
        agent = int(draw.integers(0, len(self.factor)))
        truth = moved(min(max(truth, 0.001), 0.999), float(self.factor[agent]))
        well = bool(draw.random() < truth)
        at_ms = BEGIN_MS + int(day * DAY_MS)
        attempt = RunAttempt(
            step="work",
            command="shell",
            agent=f"agent-{agent}",
            started_at_ms=at_ms,
            ended_at_ms=at_ms + 1_000,
            outcome="completed" if well else "failed",
            code="" if well else "failed",
        )
        run = RunRecord(
            id=f"r{number}",
            at_ms=at_ms + 1_000,
            template_id=f"template-{template}",
            template_version="1.0.0",
            category=f"category-{self.category[template]}",
            status="completed" if well else "failed",
            created_at_ms=at_ms,
            started_at_ms=at_ms,
            parameters={"region": region, "number": number},
            attempts=(attempt,),
        )
        return Made(run, truth, 0, changed, differs)


def _inside(values: Any) -> Any:
    """Rates away from 0 and 1, where Beta distributions are none."""
    import numpy as np

    return np.clip(values, 0.02, 0.98)


def _told(figures: dict[str, Any]) -> str:
    lines = [f"{'':<34}{'runs':>8}{'brier':>9}{'ece':>9}"]
    for way, one in figures["all"].items():
        lines.append(f"{way:<34}{one['n']:>8}{one['brier']:>9.4f}{one['ece']:>9.4f}")
    for name, some in figures["by_runs"].items():
        for way, one in some.items():
            said = f"earlier runs: {name}, {way}"
            lines.append(f"{said:<34}{one['n']:>8}{one['brier']:>9.4f}{one['ece']:>9.4f}")
    lines.append(f"{'':<34}{'runs':>8}{'covers':>9}{'width':>9}{'score':>9}")
    for name, one in figures["intervals"].items():
        lines.append(
            f"{name:<34}{one['n']:>8}{one['covers']:>9.1%}{one['width']:>9.3f}{one['score']:>9.3f}"
        )
    lines.append(f"microseconds a prediction         {figures['predict_us']}")
    return "\n".join(lines)
