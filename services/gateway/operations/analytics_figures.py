"""Rows of counts as the figures that the API gives."""

from __future__ import annotations

from shared.analytics.rates import rate
from shared.analytics.rows import Row
from shared.analytics.saving import saved
from shared.contracts.api.analytics import (
    ApprovalFigures,
    AttemptFigures,
    DurationView,
    RollbackFigures,
    RunFigures,
    ShareView,
    SuggestionFigures,
    TimeSaved,
)


def share_view(times: int, of: int) -> ShareView | None:
    """A share with its interval; None of nothing."""
    found = rate(times, of)
    if found is None:
        return None
    return ShareView(share=found.share, low=found.low, high=found.high, of=found.of)


def part(times: int, of: int) -> float | None:
    """A part of a whole; None of nothing."""
    return times / of if of else None


def duration_view(row: Row, name: str) -> DurationView | None:
    """The durations of a row that are counted under this name; None where there are none."""
    sketch = row.spans.get(name)
    if sketch is None or not sketch.count:
        return None
    p50, p90, p99 = (sketch.quantile(share) or 0.0 for share in (0.5, 0.9, 0.99))
    return DurationView(
        count=sketch.count,
        mean_ms=sketch.total_ms / sketch.count,
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        most_ms=sketch.most_ms,
    )


def run_figures(row: Row) -> RunFigures:
    """Runs."""
    n = row.counts.get
    judged = n("completed", 0) + n("with_errors", 0) + n("failed", 0)
    return RunFigures(
        runs=n("runs", 0),
        completed=n("completed", 0),
        with_errors=n("with_errors", 0),
        failed=n("failed", 0),
        cancelled=n("cancelled", 0),
        reruns=n("reruns", 0),
        attempts=n("attempts", 0),
        retries=n("retries", 0),
        success=share_view(n("completed", 0), judged),
        durations=duration_view(row, "run"),
    )


def approval_figures(row: Row) -> ApprovalFigures:
    """What people were asked."""
    n = row.counts.get
    return ApprovalFigures(
        asked=n("asked", 0),
        granted=n("granted", 0),
        rejected=n("rejected", 0),
        expired=n("expired", 0),
        waits=duration_view(row, "approval"),
    )


def rollback_figures(row: Row) -> RollbackFigures:
    """Rollbacks."""
    n = row.counts.get
    return RollbackFigures(
        over=n("rollbacks", 0),
        rolled_back=n("rolled_back", 0),
        incomplete=n("incomplete", 0),
        failed=n("rollback_failed", 0),
        by_policy=n("by_policy", 0),
        success=share_view(n("rolled_back", 0), n("rollbacks", 0)),
        durations=duration_view(row, "rollback"),
    )


def suggestion_figures(row: Row) -> SuggestionFigures:
    """Answers to suggestions."""
    accepted, edited, dismissed = (
        row.counts.get(name, 0) for name in ("accepted", "edited", "dismissed")
    )
    return SuggestionFigures(
        accepted=accepted,
        edited=edited,
        dismissed=dismissed,
        taken=share_view(accepted + edited, accepted + edited + dismissed),
    )


def attempt_figures(row: Row) -> AttemptFigures:
    """Attempts."""
    n = row.counts.get
    completed, failed = n("completed", 0), n("failed", 0)
    return AttemptFigures(
        attempts=n("attempts", 0),
        completed=completed,
        failed=failed,
        lost=n("lost", 0),
        busy_ms=n("busy_ms", 0),
        success=share_view(completed, completed + failed),
        durations=duration_view(row, "attempt"),
    )


def time_saved(row: Row, handling_ms: int, gaps: int) -> TimeSaved:
    """The estimate, and what it rests on."""
    found = saved(row, handling_ms, gaps)
    seconds = f"{handling_ms / 1000:.1f} s"
    handling = (
        f"the median of {gaps} gaps between people's recorded commands, {seconds}"
        if gaps
        else f"an assumption of {seconds}: too few commands of people are recorded"
    )
    return TimeSaved(
        least_ms=found.least_ms,
        most_ms=found.most_ms,
        handling_ms=handling_ms,
        measured_gaps=gaps,
        basis=(
            f"By hand each command of a completed run takes {handling}; so does each decision that "
            "was still a person's. At most: the time that the commands ran, too."
        ),
    )
