"""Timeouts, retries and what a workflow saves, from how long things took and how they failed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from shared.mining.acts import Act

STEPS_S: Final = (30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
"""Timeouts that are proposed, in seconds."""
ROOM: Final = 3.0
"""How much longer than nearly all runs took a step may take."""
FEWEST: Final = 3
"""Runs whose duration is known, from which a timeout is proposed."""
OFTEN: Final = 0.15
"""Share of runs that went well only when tried again, from which a retry is proposed."""
MOST_ATTEMPTS: Final = 5
LONGEST_THOUGHT_S: Final = 120.0
"""Seconds between two commands that are counted at most: longer ones were something else."""
USUAL_THOUGHT_S: Final = 5.0
"""Seconds to find and type a command, where times are not known."""


def timeout_s(acts: Sequence[Act]) -> int | None:
    """The timeout that their durations speak for; None where too few are known."""
    known = sorted(act.duration_ms for act in acts if act.duration_ms is not None)
    if len(known) < FEWEST:
        return None
    wanted = known[min(len(known) - 1, math.ceil(0.95 * len(known)) - 1)] / 1_000 * ROOM
    return next((step for step in STEPS_S if step >= wanted), STEPS_S[-1])


def retry(acts: Sequence[Act]) -> dict[str, Any] | None:
    """The retry that failures speak for which were followed by a success; None where it is rare
    that a command needs another attempt."""
    tries = [act.failures for act in acts if act.failures]
    if not acts or len(tries) < 2 or len(tries) < OFTEN * len(acts):
        return None
    attempts = min(MOST_ATTEMPTS, 1 + sorted(tries)[math.ceil(0.9 * len(tries)) - 1])
    waits = [wait / 1_000 for act in acts for wait in act.retried_ms]
    delay = min(300.0, max(1.0, median(waits))) if waits else 1.0
    return {"max_attempts": attempts, "delay_s": float(round(delay))}


def duration_s(acts: Sequence[Act]) -> float | None:
    """How long such a command usually takes, in seconds; None where that is not known."""
    known = [act.duration_ms for act in acts if act.duration_ms is not None]
    return median(known) / 1_000 if known else None


def thought_s(acts: Sequence[Act]) -> float:
    """How long people usually took to find and type such a command, in seconds."""
    known = [
        min(LONGEST_THOUGHT_S, max(0.0, (act.gap_ms - (act.duration_ms or 0)) / 1_000))
        for act in acts
        if act.gap_ms is not None
    ]
    return median(known) if known else USUAL_THOUGHT_S
