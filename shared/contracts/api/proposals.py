"""Workflows that were found in what was run, as the API gives them, and what is decided."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.api.templates import TemplateStored
from shared.ports.proposals import StoredProposal
from shared.workflow.definition import Template
from shared.workflow.names import Slug


class FoundWorkflows(BaseModel):
    """Found workflows, the best first. `next_cursor` asks for the page after this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[StoredProposal, ...]
    next_cursor: str | None = None


class AcceptBody(BaseModel):
    """What it becomes: the template as it was proposed, under another id if one is given; or an
    edited one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Slug | None = Field(None, description="Of the template; default: as it is proposed.")
    template: Template | None = Field(None, description="The edited definition, whole.")

    @model_validator(mode="after")
    def _names_it_once(self) -> Self:
        if self.id is not None and self.template is not None:
            raise ValueError("give `id`, or `template` with its own id, not both")
        return self


class RejectBody(BaseModel):
    """Why it is not wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field("", max_length=1_000)


class AcceptedWorkflow(BaseModel):
    """The proposal as it stands now, and the template that it became."""

    model_config = ConfigDict(frozen=True)

    found: StoredProposal
    stored: TemplateStored
