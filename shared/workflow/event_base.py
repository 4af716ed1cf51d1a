"""What all events have, and all that happen to a step."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.workflow.captured import Captured
from shared.workflow.messages import Proof


class Event(BaseModel):
    """Base of all events."""

    model_config = ConfigDict(frozen=True)

    PUBLIC: ClassVar[bool] = True
    type: str


class StepEvent(Event):
    """Base of what happens to a step."""

    step: str


class StepEnded(StepEvent):
    """Base of the ends of an attempt. Times are the agent's clock, 0 where nothing ran. `captured`
    is what was kept before it."""

    attempt: int
    agent: str = ""
    started_at_ms: int = 0
    finished_at_ms: int = 0
    proof: Proof | None = None
    captured: Captured | None = None
