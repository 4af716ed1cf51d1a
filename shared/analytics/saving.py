"""How much of people's time runs saved: an estimate between two bounds, with its basis.

Nobody measures the work that was not done. What is measured: how many commands a completed run
carried out and how long each took, how often people had to decide, and how long people take from
the end of one command to the next when they work at a shell by themselves (`HANDLING_MS` until
`ENOUGH` such gaps were recorded). By hand, each command costs such a gap; so does each decision
that was still theirs (to start the run, to approve). So

* at least: (commands - decisions) x gap: somebody who turns to other work while commands run;
* at most: that, and the time that the commands ran: somebody who waits for each of them.

What failed or was cancelled saved nothing. What a run does at once or at night, which by hand would
have been later, is not valued.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.analytics.rows import Row

HANDLING_MS: Final = 15_000
"""Assumed until it is measured: reading what a command said, and writing the next one."""
ENOUGH: Final = 200
"""Gaps that make a median worth more than the assumption."""
LONGEST_GAP_MS: Final = 300_000
"""Who does nothing for longer is not at work on this."""


@dataclass(frozen=True, slots=True)
class Saved:
    """`gaps` is on how many the handling time rests; 0: it is assumed."""

    least_ms: int
    most_ms: int
    handling_ms: int
    gaps: int


def handling_of(row: Row) -> tuple[int, int]:
    """The median gap, and on how many it rests."""
    gaps = row.spans.get("gap")
    if gaps is None or gaps.count < ENOUGH:
        return HANDLING_MS, 0
    return round(gaps.quantile(0.5) or 0), gaps.count


def saved(row: Row, handling_ms: int, gaps: int) -> Saved:
    """What the runs that a row counts saved."""
    acts = max(row.counts.get("acts", 0) - row.counts.get("decisions", 0), 0)
    least = acts * handling_ms
    return Saved(least, least + row.counts.get("acts_ms", 0), handling_ms, gaps)
