"""A runner in doubt asks the coordinator whether an attempt may start.

Doubt arises when a task may not be what it seems: delivered before, queued for long, or sent twice.
The coordinator answers once it has applied everything that was in the journal when it was asked, so
that a claim made before is known to it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ClaimQuestion(BaseModel):
    """May this leg of this attempt start?"""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    step: str
    attempt: int
    leg: int


class ClaimAnswer(BaseModel):
    """`start`: nobody claimed it. `running`: `agent` did. `drop`: it is over. `wait`: ask again."""

    model_config = ConfigDict(frozen=True)

    verdict: Literal["start", "running", "drop", "wait"]
    agent: str = ""
