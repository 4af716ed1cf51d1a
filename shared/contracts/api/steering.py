"""What people and systems tell an execution while it runs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.flow import MAX_INSTANCES


class SignalBody(BaseModel):
    """Something that happened outside. The same `id` again is the same signal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: dict[str, Any] = Field(default_factory=dict)
    id: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_.:-]+$")


class InstancesBody(BaseModel):
    """More items for a loop that runs. `after` is how many it has: so no item is added twice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[Any, ...] = Field(min_length=1, max_length=MAX_INSTANCES)
    after: int = Field(ge=0, le=MAX_INSTANCES)
