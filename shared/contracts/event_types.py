"""The types of every public event, but those of the audit trail, which follow the gateway's routes.

Whoever follows events can be told at once that a type does not exist. `<category>.<what happened>`.
"""

from __future__ import annotations

from typing import Final, get_args

from shared.contracts.delegations import DelegationStatus
from shared.outcomes.views import InsightKind
from shared.workflow.events import AnyEvent

EXECUTION_TYPES: Final = frozenset(
    str(event.model_fields["type"].default)
    for event in get_args(get_args(AnyEvent)[0])
    if event.PUBLIC
)
"""What happens to an execution, its approval and its steps."""

COLLECTIVE_TYPES: Final = frozenset(
    {
        "memory.remembered",
        "memory.forgotten",
        "broadcast.sent",
        "broadcast.acknowledged",
        *(f"delegation.{status.value}" for status in DelegationStatus),
    }
)
"""What happens in the hive."""

WEBHOOK_DISABLED: Final = "webhook.disabled"

SUGGESTION_OFFERED: Final = "suggestion.offered"
"""A workflow is suggested unasked: a session began one, or an alert came in."""

INSIGHT_TYPES: Final = frozenset(f"insight.{kind}" for kind in get_args(InsightKind))
"""What was learned that is worth telling."""

EVENT_TYPES: Final = (
    EXECUTION_TYPES | COLLECTIVE_TYPES | INSIGHT_TYPES | {WEBHOOK_DISABLED, SUGGESTION_OFFERED}
)
