"""Templates as the gateway gives and takes them. Times in epoch milliseconds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.api.problems import FieldProblem
from shared.workflow.definition import Template


class TemplateSummary(BaseModel):
    """One template version, as lists show it."""

    model_config = ConfigDict(frozen=True)

    id: str
    version: str
    name: str
    description: str = ""
    category: str = "custom"
    tags: tuple[str, ...] = ()
    steps: int = Field(description="Number of steps.")
    approval_required: bool = False
    estimated_duration_s: float | None = None
    content_hash: str
    created_at_ms: int
    created_by: str = ""


class TemplatePage(BaseModel):
    """The newest version of each template, by id. `next_cursor` asks for the page after this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[TemplateSummary, ...]
    next_cursor: str | None = None


class TemplateVersions(BaseModel):
    """Every version of one template, newest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[TemplateSummary, ...]


class TemplateView(BaseModel):
    """One template version with its definition, and the JSON Schema of its parameters. `secrets`
    are those that the agents must have that run its steps."""

    model_config = ConfigDict(frozen=True)

    summary: TemplateSummary
    definition: Template
    parameters_schema: dict[str, Any]
    secrets: tuple[str, ...] = ()


class TemplateStored(BaseModel):
    """The answer to storing a template: `created`, or `unchanged` when exactly it was there.
    `warnings` are about what works, and could be better."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["created", "unchanged"]
    template: TemplateSummary
    warnings: tuple[FieldProblem, ...] = ()
