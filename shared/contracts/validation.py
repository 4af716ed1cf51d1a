"""What the validator service is asked, and answers: what only the live system can tell of a run."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from shared.contracts.collective import Contract
from shared.validation.finding import Finding
from shared.workflow.definition import Template
from shared.workflow.validation_policy import Level


class ValidationQuestion(Contract):
    """A definition that passed its static rules, the level at which to look at it, and, where it is
    about a run, its complete parameters."""

    template: Template
    level: Level
    parameters: dict[str, Any] | None = None


class ValidationAnswer(Contract):
    """What was found beyond the static rules; who asked applies settings
    and suppressions."""

    findings: tuple[Finding, ...] = Field(())
