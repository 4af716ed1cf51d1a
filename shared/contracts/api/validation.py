"""What the gateway is asked to validate, and its report."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.forecasts import Forecast
from shared.templates.document import MAX_BYTES
from shared.validation.finding import Report
from shared.workflow.validation_policy import Level


class ValidateBody(BaseModel):
    """A definition, as a JSON object or as a text (YAML or JSON), or a stored template; with
    `parameters` it is about that run of it. Without a `level`: `standard`, and of a stored template
    the level of its policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    definition: dict[str, Any] | None = None
    text: str | None = Field(None, max_length=MAX_BYTES)
    template_id: str | None = Field(None, max_length=200)
    version: str | None = Field(None, max_length=200, description="Default: the newest release.")
    parameters: dict[str, Any] | None = None
    level: Level | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [n for n in ("definition", "text", "template_id") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError("give one of `definition`, `text` and `template_id`")
        if self.version is not None and self.template_id is None:
            raise ValueError("`version` goes with `template_id`")
        return self


class ValidationReport(Report):
    """What was found, at which level; with `paranoid` the forecast that some of it rests on."""

    template_id: str = ""
    template_version: str = ""
    forecast: Forecast | None = None
