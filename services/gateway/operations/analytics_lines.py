"""Sums of tables as the lines of lists: templates, versions, steps, agents, failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

from services.gateway.operations.analytics_figures import attempt_figures, part, run_figures
from shared.analytics.rows import Key, Sums
from shared.analytics.speeds import ratio
from shared.contracts.api.analytics import (
    AgentFailure,
    AgentLine,
    FailureLine,
    Speed,
    StepLine,
    TemplateLine,
    VersionLine,
)

DETAIL_LIMIT: Final = 100
"""Versions, steps, agents and failures that are given of one template or agent."""

Order = Literal["time", "failures"]


def ranked(sums: Sums, keys: Iterable[Key], *counts: str) -> list[Key]:
    """Keys by these counts together, the greatest first; equal ones by name."""
    return sorted(keys, key=lambda key: (-sum(sums.count(key, one) for one in counts), key))


def keys_of(sums: Sums, kind: str) -> list[Key]:
    """The keys that begin with this."""
    return [key for key in sums if key[0] == kind]


def template_lines(sums: Sums, keys: Sequence[Key]) -> tuple[TemplateLine, ...]:
    """Keys are a category and a template."""
    return tuple(
        TemplateLine(category=key[0], template_id=key[-1], runs=run_figures(sums.row(key)))
        for key in keys
    )


def version_lines(sums: Sums) -> tuple[VersionLine, ...]:
    """The versions of a template, those with most runs first."""
    keys = ranked(sums, keys_of(sums, "version"), "runs")[:DETAIL_LIMIT]
    return tuple(VersionLine(version=key[1], runs=run_figures(sums.row(key))) for key in keys)


def step_lines(
    sums: Sums,
    keys: Sequence[Key],
    order: Order,
    limit: int,
    named: Callable[[Key], tuple[str, ...]],
) -> tuple[StepLine, ...]:
    """Steps; `named` gives category, template, step and command of a key."""
    counts = ("busy_ms",) if order == "time" else ("failed", "lost")
    time = sum(sums.count(key, "busy_ms") for key in keys)
    failures = sum(sums.count(key, "failed") + sums.count(key, "lost") for key in keys)
    return tuple(
        _step_line(sums, key, (time, failures), named(key))
        for key in ranked(sums, keys, *counts)[:limit]
    )


def _step_line(sums: Sums, key: Key, whole: tuple[int, int], name: tuple[str, ...]) -> StepLine:
    category, template, step, command = name if len(name) == 4 else ("", "", key[-1], "")
    figures = attempt_figures(sums.row(key))
    return StepLine(
        template_id=template,
        category=category,
        step=step,
        command=command,
        attempts=figures,
        time_share=part(figures.busy_ms, whole[0]),
        failure_share=part(figures.failed + figures.lost, whole[1]),
    )


def agent_lines(
    sums: Sums, keys: Sequence[Key], speeds: Sums | None = None
) -> tuple[AgentLine, ...]:
    """Agents, those that worked longest first; the last part of a key is the name."""
    time = sum(sums.count(key, "busy_ms") for key in keys)
    return tuple(
        AgentLine(
            agent=key[-1],
            attempts=attempt_figures(sums.row(key)),
            undoing=sums.count(key, "undoing"),
            work_share=part(sums.count(key, "busy_ms"), time),
            speed=_speed(speeds, key[-1]) if speeds is not None else None,
        )
        for key in ranked(sums, keys, "busy_ms")
    )


def _speed(speeds: Sums, agent: str) -> Speed | None:
    times = speeds.count((agent,), "n")
    found = ratio(times, speeds.count((agent,), "log"))
    return Speed(ratio=found, attempts=times) if found is not None else None


def failure_lines(sums: Sums) -> tuple[FailureLine, ...]:
    """What a template's runs failed with, what ended most of them first."""
    keys = ranked(sums, keys_of(sums, "failure"), "runs", "recovered")
    keys.sort(key=lambda key: -sums.count(key, "runs"))
    return tuple(
        FailureLine(
            step=key[1],
            code=key[-1],
            runs=sums.count(key, "runs"),
            recovered=sums.count(key, "recovered"),
        )
        for key in keys[:DETAIL_LIMIT]
    )


def agent_failures(sums: Sums) -> tuple[AgentFailure, ...]:
    """What attempts of an agent failed with, most frequent first."""
    keys = ranked(sums, keys_of(sums, "failure"), "attempts")[:DETAIL_LIMIT]
    return tuple(AgentFailure(code=key[1], attempts=sums.count(key, "attempts")) for key in keys)
