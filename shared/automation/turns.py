"""One turn of any automation, by its id: of schedules it begins with `sc_`, of rules with `tr_`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from shared.automation.messages import AutomationMessage
from shared.automation.orders import Found, Outcome
from shared.automation.rule import rule_turn
from shared.automation.schedule import schedule_turn
from shared.automation.states import RuleState, ScheduleState
from shared.workflow.errors import CorruptStateError

SCHEDULE: Final = "sc_"
RULE: Final = "tr_"
PREFIXES: Final = (SCHEDULE, RULE)

AnyState = Annotated[ScheduleState | RuleState, Field(discriminator="kind")]


def is_automation(identifier: str) -> bool:
    """True for the id of a schedule or of a rule."""
    return identifier.startswith(PREFIXES)


def turn(
    state: ScheduleState | RuleState | None,
    automation_id: str,
    message: AutomationMessage,
    at_ms: int,
    found: Found | None,
) -> Outcome:
    """Decide one message about one automation. Raises `CorruptStateError`."""
    if automation_id.startswith(RULE):
        if isinstance(state, ScheduleState):
            raise CorruptStateError(f"{automation_id} is stored as a schedule")
        return rule_turn(state, automation_id, message, at_ms, found)
    if isinstance(state, RuleState):
        raise CorruptStateError(f"{automation_id} is stored as a rule")
    return schedule_turn(state, automation_id, message, at_ms, found)
