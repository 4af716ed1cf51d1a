"""The hosts of the agents that would run it: load, memory, disk, clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.validator.picture import Picture, Told
from shared.validation.rule import Found, Rule
from shared.validation.rules.foreseen import CLOCK_SKEW, DISK_NEARLY_FULL, HOST_OVERLOADED

MOST_LOAD: Final = 2.0
"""Load average for each core."""
MOST_MEMORY_PERCENT: Final = 95.0
MOST_DISK_PERCENT: Final = 90.0
FULL_DISK_PERCENT: Final = 98.0
MOST_SKEW_MS: Final = 2_000


def overloaded(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Hosts that have too much to do, or too little memory left."""
    for agent in picture.runners():
        words: list[str] = []
        if agent.system_load > MOST_LOAD:
            words.append(f"its load is {agent.system_load:.1f} for each core")
        if agent.memory_percent > MOST_MEMORY_PERCENT:
            words.append(f"{agent.memory_percent:.0f} % of its memory is used")
        if words:
            yield HOST_OVERLOADED, _found(agent.name, " and ".join(words), "wait until it is idle")


def disks(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Hosts whose disk is nearly full, where the agent keeps its data."""
    for agent in picture.runners():
        used = agent.disk_percent
        if used > MOST_DISK_PERCENT:
            found = _found(agent.name, f"its disk is {used:.0f} % full", "free some space first")
            if used > FULL_DISK_PERCENT:
                found = Found(found.path, found.message, found.fix, (), "system", "error")
            yield DISK_NEARLY_FULL, found


def clocks(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Agents whose clock cannot have been right when they answered."""
    for agent in picture.runners():
        told = picture.told.get(agent.name)
        skew_ms = _skew_ms(told) if told is not None else 0
        if abs(skew_ms) > MOST_SKEW_MS:
            what = "ahead of" if skew_ms > 0 else "behind"
            words = f"its clock is {abs(skew_ms) / 1000:.1f} s {what} the server's"
            yield CLOCK_SKEW, _found(agent.name, words, "synchronise its clock (NTP)")


def _skew_ms(told: Told) -> int:
    """How far the agent's clock is outside of the time in which it answered."""
    now_ms = told.answer.now_ms
    if now_ms > told.heard_at_ms:
        return now_ms - told.heard_at_ms
    return min(now_ms - told.asked_at_ms, 0)


def _found(agent: str, words: str, fix: str) -> Found:
    return Found("", f"{agent}: {words}", fix=f"{fix}, or target another agent", about="system")
