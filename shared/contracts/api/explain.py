"""Why an execution waits, fails or is stuck, as the gateway tells it. Times in epoch ms, 0: no."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AwaitedKind = Literal[
    "agent",
    "approval",
    "child",
    "coordinator",
    "key",
    "lock",
    "milestone",
    "participant",
    "person",
    "pool",
    "rollback",
    "rollback_service",
    "signal",
    "slot",
    "step",
    "timer",
    "validation",
]


class Severity(IntEnum):
    """How much a finding is in the way; the lowest is told first."""

    STUCK = 0
    """Nothing goes on until somebody does something, or a machine comes back."""
    NEEDS_PEOPLE = 1
    """It waits for somebody, as it was meant to."""
    WAITS = 2
    """It waits for something that will come by itself."""
    RUNS = 3
    """It is under way."""
    FOLLOWS = 4
    """It comes after something else."""


class Usual(BaseModel):
    """How long the same took in this template's last runs, in milliseconds, and in how many."""

    model_config = ConfigDict(frozen=True)

    runs: int
    median_ms: int
    p95_ms: int


class Awaited(BaseModel):
    """What has to happen: what kind of thing it is, its name, and the journal message by which the
    engine will learn of it."""

    model_config = ConfigDict(frozen=True)

    kind: AwaitedKind
    name: str
    message: str = ""


class Finding(BaseModel):
    """One thing that an execution waits for, or that went wrong.

    `cause` is a stable code; `normally` says what happens without anybody's doing; `action` is a
    command to type that does no harm. `due_ms` is when time itself moves it on.
    """

    model_config = ConfigDict(frozen=True)

    cause: str
    severity: Severity
    says: str
    step: str = ""
    waits_for: Awaited | None = None
    since_ms: int = 0
    due_ms: int = 0
    usual: Usual | None = None
    normally: str = ""
    action: str
    child: Explanation | None = None


class Explanation(BaseModel):
    """One answer to "why is it waiting, failing or stuck?", and everything that was found.

    `answer` and `action` are those of the first finding.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str = ""
    status: str
    at_ms: int
    answer: str
    action: str
    findings: tuple[Finding, ...] = Field(())
    more: int = Field(0, description="Findings beyond those that are told.")


Finding.model_rebuild()


class ExplanationView(Explanation):
    """The explanation that was asked for. A schema of its own: one that refers to itself at its
    top is not understood by every client of MCP."""
