"""Causes outside of the execution: quarantine, damage, coordinators, timers that do not fire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.contracts.api.explain import Awaited, Finding, Severity
from shared.explain.picture import Picture
from shared.explain.wording import count, span

LAG_TOLD: Final = 100
"""Entries of a partition that are not acknowledged; fewer are under way for a moment."""
LATE_MS: Final = 5_000
"""A timer that is due for so long should have fired."""
LEASE_S: Final = 6


def quarantined(picture: Picture) -> Iterator[Finding]:
    """Messages about it that could not be applied."""
    waiting = [one for one in picture.quarantined if one.resolution is None]
    if not waiting:
        return
    first = min(waiting, key=lambda one: one.seq)
    reason = " ".join(first.reason.split())[:300]
    yield Finding(
        cause="quarantined",
        severity=Severity.STUCK,
        says=f"{count(len(waiting), 'message')} about it could not be applied: {reason}",
        waits_for=Awaited(kind="person", name=first.id),
        since_ms=first.at_ms,
        normally="It stays aside until somebody puts it back or discards it.",
        action=f"hv quarantine show {first.id}",
    )


def damaged(picture: Picture) -> Iterator[Finding]:
    """What is stored of it cannot be read."""
    if picture.damage:
        yield Finding(
            cause="damaged",
            severity=Severity.STUCK,
            says=f"Its stored state cannot be read: {' '.join(picture.damage.split())[:300]}",
            normally="Whatever is said about it is quarantined; other executions go on.",
            action=f"hv quarantine list --execution {picture.execution_id}",
        )


def unled(picture: Picture) -> Iterator[Finding]:
    """Nobody holds its partition, so nothing moves it."""
    found = picture.coordination
    if found is None or found.owner is not None or _has_ended(picture):
        return
    yield Finding(
        cause="no_coordinator",
        severity=Severity.STUCK,
        says=f"No coordinator holds partition {found.partition}, so nothing moves it.",
        waits_for=Awaited(kind="coordinator", name=f"partition {found.partition}"),
        normally=f"Within {LEASE_S} seconds of a coordinator's end another one takes its "
        "partitions. If none does, none runs.",
        action="hv status",
    )


def behind(picture: Picture) -> Iterator[Finding]:
    """Its partition has more entries than its coordinator has got through."""
    found = picture.coordination
    if found is None or found.owner is None or (found.lag or 0) < LAG_TOLD or _has_ended(picture):
        return
    yield Finding(
        cause="coordinator_behind",
        severity=Severity.WAITS,
        says=f"Coordinator {found.owner} has {found.lag} messages of partition {found.partition} "
        "before it.",
        waits_for=Awaited(kind="coordinator", name=found.owner),
        normally="Thousands are applied in a second; MongoDB being away makes it wait.",
        action="hv status",
    )


def overdue(picture: Picture) -> Iterator[Finding]:
    """A timer was due, and has not fired."""
    state = picture.state
    if state is None or state.over:
        return
    late = {n: t for n, t in state.timers.items() if t.due_ms + LATE_MS < picture.now_ms}
    if not late:
        return
    name, timer = min(late.items(), key=lambda item: item[1].due_ms)
    yield Finding(
        cause="timer_overdue",
        severity=Severity.STUCK,
        says=f"Timer {name} was due {span(picture.now_ms - timer.due_ms)} ago, and nothing has "
        "come of it.",
        step=name.partition("-")[2],
        waits_for=Awaited(kind="timer", name=name, message="timer_fired"),
        since_ms=timer.due_ms,
        due_ms=timer.due_ms,
        normally="NATS puts a timer into the journal when it is due, and the coordinator applies "
        "it at once.",
        action="hv status",
    )


def accepted(picture: Picture) -> Iterator[Finding]:
    """Nothing of it is stored yet."""
    if picture.state is None and not picture.damage:
        owner = picture.coordination.owner if picture.coordination else None
        yield Finding(
            cause="accepted",
            severity=Severity.WAITS,
            says="It is accepted, and no coordinator has stored anything of it yet.",
            waits_for=Awaited(
                kind="coordinator", name=owner or "any", message="execution_requested"
            ),
            normally="That takes some tens of milliseconds.",
            action=f"hv show {picture.execution_id}",
        )


def _has_ended(picture: Picture) -> bool:
    return picture.state is not None and picture.state.over
