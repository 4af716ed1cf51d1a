"""What is said between runners and coordinators about who may start an attempt.

A claim in the journal is a request: the runner starts nothing before the coordinator has decided
it. The decision follows from the journal up to the claim and from nothing else, so that every
coordinator that reads it, one that lost its partition included, decides the same.

A runner in doubt asks. Doubt arises when a task may not be what it seems: delivered before, queued
for long, or sent twice. The coordinator answers once it has applied everything that was in the
journal when it was asked, so that a claim made before is known to it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ClaimQuestion(BaseModel):
    """May this leg of this attempt start?"""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    step: str
    attempt: int
    leg: int


class ClaimAnswer(BaseModel):
    """`start`: nobody claimed it. `running`: `agent` did. `drop`: it is over. `wait`: ask again.

    Of what is running, `fence` is the fencing token, and `stopping` tells that it is to be stopped.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Literal["start", "running", "drop", "wait"]
    agent: str = ""
    fence: int = 0
    stopping: bool = False


class ClaimDecision(BaseModel):
    """What became of an agent's claim. `fence` is the fencing token of a granted one."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    step: str
    attempt: int
    leg: int
    agent: str
    granted: bool
    fence: int = 0


class ClaimDecisions(BaseModel):
    """All that were decided together about one agent's claims."""

    model_config = ConfigDict(frozen=True)

    decisions: tuple[ClaimDecision, ...] = Field(max_length=10_000)
