"""What the forecast says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.validator.picture import Picture
from shared.forecast.experience import share_within
from shared.validation.rule import Found, Rule
from shared.validation.rules.foreseen import (
    ASSUMED_FIGURES,
    LIKELY_TO_FAIL,
    TOO_SHORT_TIMEOUT,
    UNCLEAN_FAILURE,
)

LEAST_SUCCESS: Final = 0.9
MOST_TIMED_OUT: Final = 0.05
ENOUGH_ATTEMPTS: Final = 10
UNCLEAN_FROM: Final = 0.01
"""A point at which fewer runs than this fail is not worth a finding."""
MAX_NAMED: Final = 3


def likely_to_fail(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """The run as a whole, and where it fails most."""
    forecast = picture.forecast
    if forecast is None or forecast.success.probability >= LEAST_SUCCESS:
        return
    chance = forecast.success
    worst = ", ".join(
        f"{risk.step or 'the workflow'} ({risk.probability:.0%})"
        for risk in forecast.risks[:MAX_NAMED]
    )
    first = forecast.risks[0].step if forecast.risks else ""
    path = next((p for p, step in picture.placed if step.id == first), "")
    yield (
        LIKELY_TO_FAIL,
        Found(
            path,
            f"{1 - chance.probability:.0%} of {forecast.runs} simulated runs fail (success "
            f"{chance.low:.0%} to {chance.high:.0%}); most at {worst}",
            fix="look at why these steps fail, give them a retry, or let what may fail go on",
        ),
    )


def too_short_timeouts(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Steps whose attempts have often taken longer than their timeout is now."""
    for path, step in picture.placed:
        attempts = picture.experience.attempts(step.id)
        if attempts is None or attempts.durations_s.count < ENOUGH_ATTEMPTS:
            continue
        took = attempts.durations_s.at
        within = share_within(attempts.durations_s, step.timeout_s)
        if 1 - within > MOST_TIMED_OUT:
            yield (
                TOO_SHORT_TIMEOUT,
                Found(
                    f"{path}/timeout_s",
                    f"{1 - within:.0%} of {attempts.durations_s.count} attempts took longer than "
                    f"{step.timeout_s:g} s; the longest took {took[-1]:.1f} s",
                    fix=f"give it at least {took[-1] * 1.5:.0f} s",
                ),
            )


def unclean_failures(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Points of failure from which no rollback gets back."""
    forecast = picture.forecast
    paths = {step.id: path for path, step in picture.placed}
    for point in forecast.failure_points if forecast is not None else ():
        if point.clean or point.probability < UNCLEAN_FROM:
            continue
        left = [one for one in point.undone if one.how in ("irreversible", "unprotected")]
        named = ", ".join(f"{one.step} ({one.how})" for one in left[:MAX_NAMED])
        if not left:
            off = any(point.counts.get(how) for how in ("irreversible", "unprotected"))
            named = "steps long before it" if off else "rollback is off for this template"
        yield (
            UNCLEAN_FAILURE,
            Found(
                paths[point.step],
                f"{point.probability:.0%} of the runs fail at {point.step!r}, and a rollback does "
                f"not get back to the start then: {named}",
                fix="give these steps a rollback, or run them later",
            ),
        )


def assumed_figures(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """A forecast that nothing was learned for."""
    forecast = picture.forecast
    if forecast is None:
        return
    assumed = [
        one.step
        for one in forecast.figures
        if one.what == "failure_rate" and one.source in ("prior", "mixed")
    ]
    if assumed:
        named = ", ".join(assumed[:MAX_NAMED])
        more = f" and {len(assumed) - MAX_NAMED} more" if len(assumed) > MAX_NAMED else ""
        yield (
            ASSUMED_FIGURES,
            Found(
                "",
                f"{forecast.learned_runs} earlier runs are known; the failure rates of {named}"
                f"{more} are assumed",
                fix="nothing to do: they are learned as the workflow runs",
            ),
        )
