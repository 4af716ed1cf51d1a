"""How fast agents are beside each other: at the same steps, in the same month.

A slow agent is not one that was given slow steps. So each agent is compared with the others step by
step, in logarithms of durations (a ratio means the same for short and for long steps), and the
steps are weighed by how often the agent ran them (indirect standardization). A step that nobody
else ran says nothing.

`cells` count, for each agent, template and step, completed attempts (`n`) and the sum of the
natural logarithms of their milliseconds in millionths (`log`); whole numbers, so that cells merge
as all tables do. What is compared is made from cells that are complete: it is never merged itself,
but summed over months.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Final

from shared.analytics.rows import Row, Table

MILLION: Final = 1_000_000


def logarithm(ms: int) -> int:
    """Of a duration, in millionths."""
    return round(math.log(max(ms, 1)) * MILLION)


def compared(cells: Table) -> Table:
    """For each agent: how many attempts could be compared (`n`), and the sum over them of how much
    longer they took than those of others at that step (`log`, in millionths)."""
    whole: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    for (_, *step), row in cells.rows.items():
        times, log = _counted(row)
        whole[tuple(step)][0] += times
        whole[tuple(step)][1] += log
    made = Table()
    for (agent, *step), row in cells.rows.items():
        times, log = _counted(row)
        others = whole[tuple(step)][0] - times
        if others:
            others_log = whole[tuple(step)][1] - log
            found = made.row(agent)
            found.count("n", times)
            found.count("log", (log * others - times * others_log) // others)
    return made


def ratio(times: int, log: int) -> float | None:
    """How long the agent takes, as a multiple of what others take; None where nothing compares."""
    return math.exp(log / times / MILLION) if times else None


def _counted(row: Row) -> tuple[int, int]:
    return row.counts.get("n", 0), row.counts.get("log", 0)
