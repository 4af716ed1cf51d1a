"""The public event, as it travels on the bus and out of the gateway."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PublicEvent(BaseModel):
    """Something that happened. `type` is `<category>.<what happened>`.

    `id` is unique and the same in every delivery. For events of an execution `version` counts
    that execution's events from 1 (events that are not public leave gaps); `template_*` tell which
    workflow. `at_ms` is epoch milliseconds.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    at_ms: int
    execution_id: str | None = None
    version: int = 0
    template_id: str | None = None
    template_version: str | None = None
    category: str | None = Field(None, description="The template's category.")
    data: dict[str, Any] = Field(default_factory=dict)
