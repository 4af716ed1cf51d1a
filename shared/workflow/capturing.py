"""What an agent is told to keep before a step changes anything."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.late import LateParameters


class CaptureOrder(BaseModel):
    """Before the attempt begins, keep what the step is about to change, and what the author's
    `capture` returns: `command` with rendered `parameters`, none if it is empty."""

    model_config = ConfigDict(frozen=True)

    command: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = 60.0
    late: LateParameters | None = None
