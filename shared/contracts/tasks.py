"""What the engine hands to runners, and what it tells them while they work."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.claims import ClaimQuestion
from shared.workflow.capturing import CaptureOrder
from shared.workflow.events import Requirement
from shared.workflow.fleets import RateLimit
from shared.workflow.late import LateParameters
from shared.workflow.messages import AttemptUnplaced


class Task(BaseModel):
    """One leg of one attempt at a step, fully rendered.

    `token` is what a deferred command gave, when this is a later leg of its attempt. `offer` counts
    how often the same leg was offered before; only one of its copies can be claimed. Without
    `must_claim` a runner may run it at once: it changes nothing, however late or often it runs.
    `late` is there if secrets stand in the parameters: what the agent needs to put them in.
    `rate_limit`: how often the agent may start this step, whichever executions ask for it.
    `hurried`: a person wanted the wait over that this leg follows. `capture`: what is to be kept
    before the first leg changes anything.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str
    step: str
    attempt: int
    leg: int
    command: str
    parameters: dict[str, Any]
    timeout_s: float
    requirement: Requirement = Field(default_factory=Requirement)
    sensitive: tuple[str, ...] = ()
    token: str | None = None
    offer: int = 0
    must_claim: bool = True
    late: LateParameters | None = None
    rate_limit: RateLimit | None = None
    hurried: bool = False
    capture: CaptureOrder | None = None

    @property
    def leg_id(self) -> str:
        """Names this leg, however often it is offered: the basis of claims' and reports' ids."""
        return f"{self.execution_id}.{self.step}.{self.attempt}.{self.leg}"

    @property
    def offer_id(self) -> str:
        """Names this offer of this leg, the basis of message ids."""
        return f"{self.leg_id}.{self.offer}"

    @property
    def claim_question(self) -> ClaimQuestion:
        """What a coordinator is asked about this leg."""
        return ClaimQuestion(
            execution_id=self.execution_id, step=self.step, attempt=self.attempt, leg=self.leg
        )


def unplaced(task: Task, reason: str) -> AttemptUnplaced:
    """States that no agent can get a task; its message id is `u.` and the task's `offer_id`."""
    return AttemptUnplaced(
        step=task.step, attempt=task.attempt, leg=task.leg, offer=task.offer, reason=reason
    )


class StopOrder(BaseModel):
    """Stop one leg of an attempt, and report with proof. With an `agent` it is meant for that one:
    another may be running the same leg by right."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    step: str
    attempt: int
    leg: int
    agent: str = ""


class LogLine(BaseModel):
    """One line that a running command wrote. `number` counts within the attempt."""

    model_config = ConfigDict(frozen=True)

    number: int
    at_ms: int
    stream: str
    text: str


class LogChunk(BaseModel):
    """Lines of one attempt that were written close together."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    step: str
    attempt: int
    agent: str
    lines: tuple[LogLine, ...] = Field(max_length=1000)
