"""Events of what people do to single steps, and of what a re-run keeps."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.workflow.event_base import Event, StepEvent
from shared.workflow.gate_events import GateEvent
from shared.workflow.kept import KeptApproval, KeptStep, StepPlan
from shared.workflow.message_base import Actor, Mark


class RerunOf(BaseModel):
    """Which execution a re-run repeats, who asked for it and why. `approvals` still hold, each if
    what it was about is the same."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    by: Actor
    reason: str = ""
    approvals: tuple[KeptApproval, ...] = ()


class BreakpointsChanged(Event):
    """The steps before which the execution will pause, as they are from now on."""

    type: Literal["execution.breakpoints_changed"] = "execution.breakpoints_changed"
    breakpoints: tuple[str, ...]
    by: Actor
    reason: str = ""


class StepMarked(StepEvent):
    """A person said what became of the step. What runs of it is stopped first."""

    type: Literal["step.marked"] = "step.marked"
    attempt: int
    mark: Mark


class StepMarkVoided(StepEvent):
    """What the step was marked as does not count: it succeeded before it could be stopped."""

    type: Literal["step.mark_voided"] = "step.mark_voided"
    attempt: int
    by: Actor


class StepHurried(StepEvent):
    """A person wanted its wait over: it goes on at once."""

    type: Literal["step.hurried"] = "step.hurried"
    attempt: int
    by: Actor
    reason: str = ""


class StepKept(StepEvent):
    """It is not run again: what it did in the execution that this one repeats is kept."""

    type: Literal["step.kept"] = "step.kept"
    kept: KeptStep


class StepFailureKept(StepEvent):
    """It is not run again: its failure in the execution that this one repeats was tolerated."""

    type: Literal["step.failure_kept"] = "step.failure_kept"
    kept: KeptStep


class StepPlanned(StepEvent):
    """When it runs again it makes use of this."""

    type: Literal["step.planned"] = "step.planned"
    PUBLIC: ClassVar[bool] = False
    plan: StepPlan


class ApprovalKept(GateEvent):
    """What is behind the gate was approved in the execution that this one repeats, by the same
    hash. `subject_hash` is that of the same subject in this execution."""

    type: Literal["approval.kept"] = "approval.kept"
    subject_hash: str
    kept: KeptApproval
