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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from services.cli.options import AsJson

if TYPE_CHECKING:
    import numpy as np

    from shared.learning.records import RunRecord
    from shared.outcomes.success import SuccessModel

DAY_MS: Final = 86_400_000
BEGIN_MS: Final = 1_700_000_000_000
DAYS: Final = 180
BINS: Final = 15
CATEGORIES: Final = 6
_BY_RUNS: Final = ((0, 0, "none"), (1, 5, "1 to 5"), (6, 20, "6 to 20"), (21, 10**9, "more"))


@dataclass(frozen=True, slots=True)
class Made:
    """A run, the chance that it had, and how many runs of its template came before."""

    run: RunRecord
    truth: float
    before: int


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
    as_json: AsJson = False,
) -> None:
    """Predict made-up runs of which the truth is known, each from those before it.

    The figures are explained in docs/how-to/predictions.md.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    figures = measured(runs, templates, histories, seed)
    typer.echo(json.dumps(figures) if as_json else _told(figures))


def measured(runs: int, templates: int, histories: int, seed: int) -> dict[str, Any]:
    """The figures of several histories together."""
    ways = ("ours", "own runs alone", "the truth")
    scored = {way: Scored([], []) for way in ways}
    by_runs = {name: {way: Scored([], []) for way in ways} for _, _, name in _BY_RUNS}
    covered, took = [], []
    for number in range(histories):
        for one, found, inside, spent in _predicted(runs, templates, seed * 1_000 + number):
            took.append(spent)
            covered.append(inside)
            name = next(n for low, high, n in _BY_RUNS if low <= one.before <= high)
            for way, value in zip(ways, found, strict=True):
                for kept in (scored[way], by_runs[name][way]):
                    kept.predicted.append(value)
                    kept.came.append(one.run.status == "completed")
    return {
        "runs": runs * histories,
        "all": {way: one.figures() for way, one in scored.items()},
        "by_runs": {n: {w: s.figures() for w, s in some.items()} for n, some in by_runs.items()},
        "interval_covers": round(sum(covered) / len(covered), 4),
        "predict_us": round(sum(took) / len(took) * 1e6),
    }


def _predicted(
    runs: int, templates: int, seed: int
) -> Iterator[tuple[Made, tuple[float, float, float], bool, float]]:
    """Each run with our prediction, that of its template's own runs, and the truth; whether the
    interval covers the truth; and the seconds that it took."""
    from shared.outcomes.predicting import predict
    from shared.outcomes.success import SuccessModel

    model = SuccessModel()
    for place, one in enumerate(history(runs, templates, seed), 1):
        begun = time.perf_counter()
        known, category, agent = _views(model, one.run)
        found = predict(one.run.template_id, known, category, one.run.parameters, agent)
        spent = time.perf_counter() - begun
        counts = model.templates.get(one.run.template_id)
        tally = counts.tally if counts is not None else None
        alone = (tally.succeeded + 1) / (tally.runs + 2) if tally is not None else 0.5
        chance = found.chance
        inside = chance.low <= one.truth <= chance.high
        yield one, (chance.probability, alone, one.truth), inside, spent
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


def history(runs: int, templates: int, seed: int) -> Iterator[Made]:
    """Runs in order of time."""
    import numpy as np

    draw = np.random.default_rng(seed)
    world = _World(draw, templates)
    seen = [0] * templates
    for number in range(runs):
        template = min(int(draw.zipf(1.3)) - 1, templates * 50) % templates
        day = DAYS * number / runs
        run, truth = world.run(draw, number, template, day)
        yield Made(run, truth, seen[template])
        seen[template] += 1


class _World:
    """The rates of everything."""

    def __init__(self, draw: np.random.Generator, templates: int) -> None:
        means = draw.beta(0.87 * 12, 0.13 * 12, CATEGORIES)
        self.category = draw.integers(0, CATEGORIES, templates)
        own = _inside(means[self.category])
        self.rate = draw.beta(own * 8, (1 - own) * 8)
        self.later = _inside(draw.beta(own * 8, (1 - own) * 8))
        self.changes = draw.random(templates) < 0.1
        self.matters = draw.random(templates) < 0.2
        self.factor = draw.choice([1.0, 1.0, 1.0, 1.0, 3.0], 10)

    def run(
        self, draw: np.random.Generator, number: int, template: int, day: float
    ) -> tuple[RunRecord, float]:
        """One run, and the chance that it had to succeed."""
        from shared.learning.records import RunAttempt, RunRecord
        from shared.outcomes.believing import moved

        changed = self.changes[template] and day > DAYS / 2
        truth = float((self.later if changed else self.rate)[template])
        region = ["eu", "us", "ap"][int(draw.integers(0, 3))]
        if self.matters[template] and region == "ap":
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
        return run, truth


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
    lines.append(f"the interval covers the truth     {figures['interval_covers']:.1%}")
    lines.append(f"microseconds a prediction         {figures['predict_us']}")
    return "\n".join(lines)
