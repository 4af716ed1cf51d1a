"""Events of the look at an execution that nobody had validated when it was asked for."""

from __future__ import annotations

from typing import Literal

from shared.workflow.event_base import Event
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.validation_policy import Level


class ExecutionValidating(Event):
    """Nothing of it starts before it was looked at, at this level."""

    type: Literal["execution.validating"] = "execution.validating"
    level: Level


class ExecutionValidated(Event):
    """What the look came to. `refused` says why it may not run; empty where it may."""

    type: Literal["execution.validated"] = "execution.validated"
    verdict: RiskVerdict | None = None
    refused: str = ""


ValidationEvent = ExecutionValidating | ExecutionValidated
"""Any of them."""
