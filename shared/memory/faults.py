"""Where faults come in: every effect of a memory port asks before it happens and says so after.

A simulator overrides `before` and `after`. Either may wait (the effect is slow, others overtake),
raise `OutageError` (in `before`: nothing happened; in `after`: it happened and nobody was told; the
ports of NATS and MongoDB try again or raise in the same places), or cancel the task (a crash).
"""

from __future__ import annotations

from enum import Enum


class Action(Enum):
    """What is about to happen, or has happened."""

    APPEND = "append"
    TASK = "task"
    EVENT = "event"
    TIMER = "timer"
    CLEAR_TIMER = "clear_timer"
    STOP = "stop"
    DECIDED = "decided"
    FORGET = "forget"
    ACKNOWLEDGE_ENTRIES = "acknowledge_entries"
    ACKNOWLEDGE_TASK = "acknowledge_task"
    IN_PROGRESS = "in_progress"
    HAND_BACK = "hand_back"
    LEASE = "lease"
    ANNOUNCE = "announce"
    LOAD = "load"
    WRITE = "write"
    QUARANTINE = "quarantine"
    ASK = "ask"


class OutageError(OSError):
    """The server is away, or its answer was lost."""


class Faults:
    """No faults at all. `subject` names what it is about: an execution, a lease, an agent."""

    async def before(self, action: Action, subject: str) -> None:
        """Called before an effect; raising prevents it."""

    async def after(self, action: Action, subject: str) -> None:
        """Called after an effect, before its caller hears of it."""
