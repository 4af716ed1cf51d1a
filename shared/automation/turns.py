"""One turn of any schedule, by its id. The ids of schedules begin with `sc_`."""

from __future__ import annotations

from typing import Final

from shared.automation.messages import AutomationMessage
from shared.automation.orders import Found, Outcome
from shared.automation.schedule import schedule_turn
from shared.automation.specs import ScheduleSpec
from shared.automation.states import ScheduleState

SCHEDULE: Final = "sc_"
PREFIXES: Final = (SCHEDULE,)

AnyState = ScheduleState
AnySpec = ScheduleSpec


def is_automation(identifier: str) -> bool:
    """True for the id of a schedule."""
    return identifier.startswith(PREFIXES)


def turn(
    state: ScheduleState | None,
    automation_id: str,
    message: AutomationMessage,
    at_ms: int,
    found: Found | None,
) -> Outcome:
    """Decide one message about one automation."""
    return schedule_turn(state, automation_id, message, at_ms, found)
