"""Executions that nobody has looked at: those of schedules, rules and calls.

* What a person or an agent asks for is validated before it is accepted. What the engine itself asks
  for is validated in its first moment: it waits, a task goes to whoever validates, and the answer
  comes through the journal.
* What a schedule or a rule starts is looked at each time.
* A sub-workflow was looked at with its parent, by what is known without its parameters. It is
  looked at once more, with them, where its own template asks for more than the static rules.
* What is refused fails before anything of it has run, handlers included; so does what is cancelled
  meanwhile.
"""

from __future__ import annotations

from typing import Final

from shared.workflow.messages import ExecutionRequested
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn
from shared.workflow.validation_events import ExecutionValidating
from shared.workflow.validation_policy import ValidationPolicy

REFUSED: Final = "refused_by_validation"
"""The code of the failure of what was refused."""


def is_looked_at_alone(policy: ValidationPolicy) -> bool:
    """Whether a sub-workflow of this policy is looked at when it begins."""
    return policy.level in ("strict", "paranoid") or bool(policy.gate)


def has_to_be_validated(turn: Turn, request: ExecutionRequested) -> bool:
    """Whether somebody has to look at it before it begins."""
    if not request.to_validate:
        return False
    policy = turn.program.template.policies.validation
    return request.parent is None or is_looked_at_alone(policy)


def ask(turn: Turn) -> None:
    """Wait until somebody has looked at it."""
    turn.emit(ExecutionValidating(level=turn.program.template.policies.validation.level))


def is_awaited(state: ExecutionState) -> bool:
    """True while it waits for that, and nobody has stopped it."""
    return state.validating and state.stop is None
