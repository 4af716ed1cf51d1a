"""Quarantine: journal messages that could not be applied, and what became of them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.history import Quarantined
from shared.workflow.messages import Actor


class Resolution(BaseModel):
    """What a person did with a quarantined message: put it back into the journal, or not."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["retried", "discarded"]
    by: Actor
    at_ms: int
    reason: str = ""


class QuarantineEntry(Quarantined):
    """A quarantined message by its id, `<execution>:<seq>`. Without `resolution` it waits."""

    id: str
    resolution: Resolution | None = None


class QuarantinePage(BaseModel):
    """Quarantined messages, newest first. `next_cursor` asks for the page after this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[QuarantineEntry, ...]
    next_cursor: str | None = None


class DiscardBody(BaseModel):
    """Why the message is not wanted; it is kept with it, and in the audit trail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1, max_length=1_000)
