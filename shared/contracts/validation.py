"""What the validator service is asked, and answers: what only the live system can tell of a run."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_serializer

from shared.contracts.collective import Contract
from shared.contracts.forecasts import Forecast
from shared.validation.finding import Finding
from shared.workflow.definition import Template
from shared.workflow.validation_policy import Level


class ValidationQuestion(Contract):
    """A definition that passed its static rules, the level at which to look at it, and, where it is
    about a run, its complete parameters and who asks for it."""

    template: Template
    level: Level
    parameters: dict[str, Any] | None = None
    requested_by: str = Field("", max_length=200)
    template_author: str = Field("", max_length=200)
    runs: int = Field(1_000, ge=10, le=10_000, description="How many runs `paranoid` simulates.")
    seed: int = Field(0, ge=0, description="The same seed gives the same forecast.")

    @field_serializer("template")
    def _as_written(self, template: Template) -> dict[str, Any]:
        """What the author left out stays left out: for some fields that makes a difference."""
        return template.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ValidationAnswer(Contract):
    """What was found beyond the static rules; who asked applies settings and suppressions. With
    `paranoid` the forecast that some of it rests on."""

    findings: tuple[Finding, ...] = Field(())
    forecast: Forecast | None = None
