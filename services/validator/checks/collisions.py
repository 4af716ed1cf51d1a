"""What else runs: concurrency keys of other templates, schedules of this one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from services.validator.picture import KeyUse, Picture
from shared.automation.states import ScheduleState
from shared.validation.rule import Found, Rule
from shared.validation.rules.live import KEY_SHARED, SCHEDULES_OVERLAP
from shared.workflow.flow import Concurrency

LOOKED_AHEAD: Final = 50
"""Moments of each schedule that are looked at."""
HORIZON_MS: Final = 7 * 86_400_000
"""A week: what repeats seldom is not looked for further ahead."""
MAX_NAMED: Final = 3


def shared_keys(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Keys that other templates use with another limit, or another answer to a conflict."""
    for path, rule in _rules(picture):
        others = [
            use
            for use in picture.key_uses
            if use.template_id != picture.template.id
            and use.key == rule.key
            and (use.limit, use.on_conflict) != (rule.limit, rule.on_conflict)
        ]
        if others:
            yield KEY_SHARED, _shared(path, rule, others)


def _rules(picture: Picture) -> Iterator[tuple[str, Concurrency]]:
    if picture.template.policies.concurrency is not None:
        yield "policies/concurrency", picture.template.policies.concurrency
    for path, step in picture.placed:
        if step.concurrency is not None:
            yield f"{path}/concurrency", step.concurrency


def _shared(path: str, rule: Concurrency, others: list[KeyUse]) -> Found:
    named = ", ".join(
        f"{use.template_id} (limit {use.limit}, {use.on_conflict})" for use in others[:MAX_NAMED]
    )
    return Found(
        path,
        f"the key {rule.key!r} has limit {rule.limit} and {rule.on_conflict} here, and another in "
        f"{named}",
        fix="use the same limit and on_conflict everywhere, or another key",
        about="system",
    )


def schedules(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Different schedules that start the template while a run of another may still go on."""
    if picture.template.policies.concurrency is not None:
        return
    active = [s for s in picture.schedules if s.status == "active"]
    lasts_ms = _lasts_ms(picture)
    if lasts_ms is None or len(active) < 2:
        return
    moments = sorted(
        (at_ms, schedule.id) for schedule in active for at_ms in _moments(schedule, picture.now_ms)
    )
    names = {schedule.id: schedule.spec.name for schedule in active}
    for (first_ms, first), (second_ms, second) in pairwise(moments):
        if first != second and second_ms - first_ms < lasts_ms:
            gap_s, lasts_s = (second_ms - first_ms) / 1000, lasts_ms / 1000
            yield (
                SCHEDULES_OVERLAP,
                Found(
                    "policies/concurrency",
                    f"{names[second]!r} starts it {gap_s:g} s after {names[first]!r}, and a run "
                    f"takes about {lasts_s:g} s",
                    fix="move one of the schedules, or give the template a concurrency key",
                    about="system",
                ),
            )
            return


def _moments(schedule: ScheduleState, now_ms: int) -> tuple[int, ...]:
    timetable = schedule.spec.timetable
    found = timetable.upcoming(now_ms, schedule.anchor_ms, LOOKED_AHEAD)
    return tuple(at_ms for at_ms in found if at_ms <= now_ms + HORIZON_MS)


def _lasts_ms(picture: Picture) -> float | None:
    """How long a run takes: as foreseen, or as its author says."""
    if picture.forecast is not None:
        return picture.forecast.duration_s.p90 * 1000
    estimated = picture.template.estimated_duration_s
    return estimated * 1000 if estimated is not None else None
