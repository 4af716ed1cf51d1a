"""Items of the record for tests of analytics, by example and drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from shared.analytics.fold import Analytics, Keep
from shared.analytics.rows import Key, Row, Sums
from shared.learning.records import (
    AnyRecord,
    Feedback,
    RecordedCommand,
    RollbackRecord,
    RunApproval,
    RunAttempt,
    RunRecord,
)

NOON_MS = 1_790_164_800_000
"""2026-09-23 12:00 UTC."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def attempt(step: str = "check", ms: int = 1_000, **given: Any) -> RunAttempt:
    values: dict[str, Any] = {
        "step": step,
        "command": "shell",
        "agent": "agent-a",
        "started_at_ms": NOON_MS,
        "ended_at_ms": NOON_MS + ms,
        "outcome": "completed",
    }
    return RunAttempt(**{**values, **given})


def run(identifier: str = "ex_1", ms: int = 5_000, **given: Any) -> RunRecord:
    """A completed run of one attempt that began at noon and took so long."""
    began = given.get("started_at_ms", NOON_MS)
    values: dict[str, Any] = {
        "id": identifier,
        "at_ms": began + ms,
        "template_id": "disk_check",
        "template_version": "1.0.0",
        "category": "maintenance",
        "status": "completed",
        "cause": "user",
        "created_at_ms": began,
        "started_at_ms": began,
        "attempts": (attempt(),),
    }
    return RunRecord(**{**values, **given})


def rollback(**given: Any) -> RollbackRecord:
    values: dict[str, Any] = {
        "id": "ex_1.1",
        "at_ms": NOON_MS + 9_000,
        "execution_id": "ex_1",
        "number": 1,
        "template_id": "disk_check",
        "template_version": "1.0.0",
        "category": "maintenance",
        "status": "rolled_back",
        "by": "ann",
        "asked_at_ms": NOON_MS + 6_000,
    }
    return RollbackRecord(**{**values, **given})


def feedback(verdict: str = "accepted", **given: Any) -> Feedback:
    values: dict[str, Any] = {
        "id": "f1",
        "at_ms": NOON_MS,
        "user": "ann",
        "suggestion_id": "s1",
        "verdict": verdict,
        "kind": "workflow",
        "suggested": "disk_check",
    }
    return Feedback(**{**values, **given})


def command(at_ms: int, duration_ms: int | None = 0, **given: Any) -> RecordedCommand:
    values: dict[str, Any] = {
        "id": f"c{at_ms}",
        "at_ms": at_ms,
        "user": "ann",
        "command": "ls",
        "session": "s1",
        "duration_ms": duration_ms,
        "source": "shell",
    }
    return RecordedCommand(**{**values, **given})


def folded(items: Iterable[AnyRecord], keep: Keep | None = None) -> Analytics:
    """A fold that has counted these."""
    fold = Analytics(keep)
    for place, item in enumerate(items, start=1):
        fold.apply(item, place)
    return fold


def tables(fold: Analytics) -> dict[str, str]:
    """Every table that a fold holds, by its name's text."""
    return {name.text(): text for name, text in fold.take_everything().tables.items()}


def row(fold: Analytics, view: str, scope: str, *key: str, level: str = "m") -> Row:
    """The row of a key, over all periods of a level."""
    texts = [
        text
        for name, text in tables(fold).items()
        if name.startswith(f"{level}/") and name.endswith(f"/{view}/{scope}")
    ]
    wanted: Key = key or ("all",)
    return Sums(texts).row(wanted)


_NAMES = st.sampled_from(["alpha", "beta"])
_MOMENTS = st.integers(NOON_MS - 500 * DAY_MS, NOON_MS)


@st.composite
def runs(draw: st.DrawFn) -> RunRecord:
    """A run at any moment of 500 days."""
    at_ms = draw(_MOMENTS)
    attempts = [
        attempt(
            draw(_NAMES),
            draw(st.integers(-5, 90_000)),
            agent=draw(st.sampled_from(["", "agent-a", "agent-b"])),
            outcome=draw(st.sampled_from(["completed", "failed", "lost"])),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return run(
        draw(st.uuids()).hex,
        at_ms=at_ms,
        template_id=draw(_NAMES),
        category=draw(_NAMES),
        status=draw(st.sampled_from(["completed", "completed_with_errors", "failed", "cancelled"])),
        created_at_ms=at_ms - draw(st.integers(0, 100_000)),
        started_at_ms=draw(st.sampled_from([0, at_ms - 5, at_ms])),
        attempts=tuple(attempts),
        approvals=tuple(
            RunApproval(gate="workflow", status="granted", asked_at_ms=1, closed_at_ms=ms)
            for ms in draw(st.lists(st.integers(0, 9_999), max_size=2))
        ),
        rollback_of=draw(st.sampled_from(["", "", "ex_0"])),
    )


@st.composite
def rollbacks(draw: st.DrawFn) -> RollbackRecord:
    return rollback(
        at_ms=draw(_MOMENTS),
        template_id=draw(_NAMES),
        status=draw(st.sampled_from(["rolled_back", "rollback_incomplete", "rollback_failed"])),
    )


@st.composite
def verdicts(draw: st.DrawFn) -> Feedback:
    return feedback(
        draw(st.sampled_from(["accepted", "dismissed", "edited"])),
        at_ms=draw(_MOMENTS),
        suggested=draw(_NAMES),
        kind=draw(st.sampled_from(["workflow", "command"])),
    )


ITEMS = st.lists(st.one_of(runs(), rollbacks(), verdicts()), max_size=12)
