"""When a failed step is tried again, as an author writes it."""

from __future__ import annotations

from pydantic import Field

from shared.workflow.names import Model


class Retry(Model):
    """When and how often a failed step is tried again. Times in seconds."""

    max_attempts: int = Field(1, ge=1, le=100)
    delay_s: float = Field(1.0, ge=0, le=86_400)
    factor: float = Field(2.0, ge=1, le=100)
    max_delay_s: float = Field(300.0, ge=0, le=86_400)
    jitter: float = Field(0.1, ge=0, le=1, description="Share of the delay that is spread out.")
