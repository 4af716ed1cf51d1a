"""What a re-run keeps of the execution that it repeats. It travels in its request, so that whatever
becomes of the old execution, the new one is decided again as it was decided first.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.approval_rule import Approval
from shared.workflow.gate_state import Vote
from shared.workflow.message_base import Actor, AttemptRecord, Failure, Instance, Mark


class Kept(BaseModel):
    """Base of what is kept."""

    model_config = ConfigDict(frozen=True)


class KeptStep(Kept):
    """A step, or an instance of a loop, that is not run again. `origin` is the execution in which
    it was run; a failure is kept only where it was tolerated."""

    step: str
    origin: str
    status: Literal["completed", "failed"] = "completed"
    attempt: int = 0
    agent: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0
    output: dict[str, Any] = Field(default_factory=dict)
    output_bytes: int = 0
    failure: Failure | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    taken: tuple[str, ...] | None = None
    child: str | None = None
    rounds: int = 0
    mark: Mark | None = None


class KeptApproval(Kept):
    """A gate that was granted. `subject_hash` names what it was about: `round` of `execution_id`,
    of the steps `steps` where it was about more than one."""

    gate: str
    execution_id: str
    round: int
    subject_hash: str
    step: str = ""
    targets: tuple[str, ...] = ()
    rule: Approval
    input: dict[str, Any] = Field(default_factory=dict)
    votes: tuple[Vote, ...] = ()
    steps: tuple[str, ...] = ()


class KeptInstance(Kept):
    """One instance of a loop that runs again, kept for as long as its item is the same: done
    (`kept`), or a call that goes on in its failed sub-workflow (`plan`)."""

    instance: Instance
    kept: KeptStep | None = None
    plan: StepPlan | None = None


class StepPlan(Kept):
    """How a step that runs again makes use of what it had done.

    Of a call: the re-run of the sub-workflow that failed, if it is called with the same
    `parameters` again. Of a loop: the instances that need not run again.
    """

    step: str
    child: Rerun | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    instances: tuple[KeptInstance, ...] = ()


class Rerun(Kept):
    """A re-run of the execution `of`, and what it keeps."""

    of: str
    by: Actor = Actor()
    reason: str = ""
    kept: tuple[KeptStep, ...] = ()
    plans: tuple[StepPlan, ...] = ()
    approvals: tuple[KeptApproval, ...] = ()


KeptInstance.model_rebuild()
StepPlan.model_rebuild()
