"""What an execution knows of what was kept before a step.

What was kept itself is on no journal. It is found by execution, step and agent
(`shared.contracts.captures`), also where nobody could report any more.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Captured(BaseModel):
    """That something was kept: on which agent, before which attempt, how much (bytes in clear)."""

    model_config = ConfigDict(frozen=True)

    agent: str
    attempt: int = Field(1, ge=1)
    items: int = Field(0, ge=0)
    files: int = Field(0, ge=0)
    bytes: int = Field(0, ge=0)
