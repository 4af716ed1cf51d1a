"""A proposal: a workflow that was found, what speaks for it, and the template that it would be.

Whose it is: a proposal without an owner was found in what several users ran, and holds no text that
fewer than `shared_after_users` of them used; one with an owner was found in what that user ran
alone, and is shown to nobody else.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from shared.mining.likeness import Signature
from shared.workflow.definition import Template


class Support(BaseModel):
    """In what a workflow was seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: int = Field(description="Users who ran it.")
    sessions: int = Field(description="Stretches of work in which it was run.")
    runs: int = Field(description="How often it was run, whole or nearly.")
    log10_p: float = Field(description="log10 of the probability that chance alone does this.")
    complete: float = Field(description="Share of its steps that its runs had, on average.")


class Saving(BaseModel):
    """What it would save: the time that people took to find and type its commands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_run_s: float
    per_week_s: float
    measured: bool = Field(description="False: times were not recorded, and usual ones assumed.")


class Proposal(BaseModel):
    """A workflow that was found in what was recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    owner: str = Field("", description="The user whose it is; empty: everybody's.")
    title: str
    template: Template
    steps: tuple[str, ...] = Field(description="The lines of its steps, with named parameters.")
    signature: Signature
    support: Support
    saving: Saving
    score: float = Field(description="What it is worth, against others: higher is better.")
    examples: tuple[tuple[str, ...], ...] = Field(
        (), description="Runs of it, as they were; values of few users are left out."
    )
    review: tuple[str, ...] = Field((), description="What to look at before it is accepted.")
    warnings: tuple[str, ...] = Field((), description="What validation warns of.")

    @field_serializer("template")
    def _as_written(self, template: Template) -> dict[str, Any]:
        """What was not written stays out: a parameter is required if it says nothing else."""
        return template.model_dump(mode="json", by_alias=True, exclude_unset=True)
