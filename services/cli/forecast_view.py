"""A forecast as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from services.cli.rendering import duration
from shared.contracts.forecasts import Forecast

MOST_RISKS = 5
MOST_POINTS = 5
_LEFT = ("irreversible", "unprotected")


def forecast_text(forecast: Forecast) -> Iterator[Text]:
    """The forecast, line by line."""
    known = f"{forecast.learned_runs} earlier ones known"
    yield Text(f"forecast of {forecast.runs} simulated runs ({known})", style="bold")
    success = forecast.success
    low, high = f"{success.low:.1%}", f"{success.high:.1%}"
    yield _line("succeeds", f"{success.probability:.1%} ({low} to {high})")
    took = forecast.duration_s
    quantiles = (("50 %", took.p50), ("90 %", took.p90), ("99 %", took.p99))
    yield _line("takes", ", ".join(f"{name}: {duration(s * 1000)}" for name, s in quantiles))
    path = [one.step for one in forecast.critical_path if one.main]
    if path:
        yield _line("critical", " → ".join(path))
    risks = [
        f"{risk.step or 'the workflow'} {risk.probability:.1%}"
        for risk in forecast.risks[:MOST_RISKS]
    ]
    if risks:
        yield _line("fails at", ", ".join(risks))
    yield from _no_way_back(forecast)
    assumed = sum(one.source == "prior" for one in forecast.figures)
    if assumed:
        yield _line("assumed", f"{assumed} of {len(forecast.figures)} figures")
    elsewhere = sum(one.source == "command" for one in forecast.figures)
    if elsewhere:
        said = f"{elsewhere} of {len(forecast.figures)} figures: the same command elsewhere"
        yield _line("learned", said)
    for assumption in forecast.assumptions:
        yield _line("", assumption, "dim")


def _no_way_back(forecast: Forecast) -> Iterator[Text]:
    """Where a run can fail and cannot be taken back, the most likely first."""
    points = [point for point in forecast.failure_points if not point.clean]
    points.sort(key=lambda point: -point.probability)
    for point in points[:MOST_POINTS]:
        left = [f"{one.step} ({one.how})" for one in point.undone if one.how in _LEFT]
        early = any(point.counts.get(how) for how in _LEFT)
        why = ", ".join(left[:MOST_RISKS]) or ("steps long before" if early else "rollback is off")
        chance = f"when {point.step} fails ({point.probability:.1%}): {why}"
        yield _line("no way back", chance, "yellow")


def _line(name: str, words: str, style: str = "") -> Text:
    return Text.assemble((f"  {name:<12} ", "dim"), (words, style))
