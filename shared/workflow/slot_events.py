"""Events of slots: what an execution, or a step of it, asked of a concurrency key, and got."""

from __future__ import annotations

from typing import Literal

from shared.workflow.event_base import Event
from shared.workflow.flow import OnConflict


class SlotEvent(Event):
    """Base of what happens to a slot. `slot` is the step that needs it, `*` the whole execution."""

    slot: str
    key: str


class SlotAsked(SlotEvent):
    """It waits for a slot; effect of this event: the question, in the key's journal."""

    type: Literal["slot.asked"] = "slot.asked"
    limit: int
    on_conflict: OnConflict


class SlotTaken(SlotEvent):
    """It has the slot."""

    type: Literal["slot.taken"] = "slot.taken"


class SlotDenied(SlotEvent):
    """It does not get one."""

    type: Literal["slot.denied"] = "slot.denied"
    reason: str


class SlotReleased(SlotEvent):
    """It needs none any more; effect of this event: the key is told."""

    type: Literal["slot.released"] = "slot.released"
