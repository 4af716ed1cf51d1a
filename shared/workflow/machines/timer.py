"""The timer's machine: set, then cleared, either because it fired or is not wanted; and again.

A timer is known to its execution by name, and to the journal by name and generation: a message of
an older generation, which was under way when the timer was set anew, is ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.workflow.machines.table import Machine, each


class TimerStatus(StrEnum):
    """Where a timer stands."""

    UNSET = "unset"
    SET = "set"


_S = TimerStatus

TIMER: Final = Machine(
    name="timer",
    initial=_S.UNSET,
    terminal=frozenset({_S.UNSET}),
    rows={
        "timer.set": each(_S.UNSET, to=_S.SET),
        "timer.cleared": each(_S.SET, to=_S.UNSET),
    },
)
