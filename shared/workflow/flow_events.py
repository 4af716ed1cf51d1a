"""Events of control flow: loops, branches, waits, sub-workflows, regions, sections."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from shared.workflow.event_base import Event, StepEnded, StepEvent
from shared.workflow.messages import Actor, Instance, Signal


class ExecutionHandling(Event):
    """The main steps are over; those of this section of the template may start now."""

    type: Literal["execution.handling"] = "execution.handling"
    section: Literal["on_failure", "finally"]


class StepRepeating(StepEnded):
    """It completed, and is run again at `due_ms`, until its condition holds."""

    type: Literal["step.repeating"] = "step.repeating"
    output: dict[str, Any]
    due_ms: int


class StepExpanded(StepEvent):
    """A loop began: these are its instances."""

    type: Literal["step.expanded"] = "step.expanded"
    instances: tuple[Instance, ...]


class StepExtended(StepEvent):
    """A loop has more instances."""

    type: Literal["step.extended"] = "step.extended"
    instances: tuple[Instance, ...]
    by: Actor


class StepRouted(StepEvent):
    """A switch decided which steps run."""

    type: Literal["step.routed"] = "step.routed"
    output: dict[str, Any]
    taken: tuple[str, ...]


class StepAwaiting(StepEvent):
    """It waits for the first of several things to happen."""

    type: Literal["step.awaiting"] = "step.awaiting"
    signals: tuple[str, ...]
    due_ms: int | None = None


class StepChosen(StepEvent):
    """The first thing happened, and decided which steps run."""

    type: Literal["step.chosen"] = "step.chosen"
    output: dict[str, Any]
    output_bytes: int
    taken: tuple[str, ...]
    signal: str | None = None


class StepCalled(StepEvent):
    """A sub-workflow was requested; effect of this event: the request, in the child's journal.
    `rerun_of` is the execution that the child repeats, keeping what that had done."""

    type: Literal["step.called"] = "step.called"
    attempt: int
    child: str
    template_id: str
    template_version: str
    parameters: dict[str, Any]
    timeout_s: float | None = None
    rerun_of: str = ""


class StepRelayed(StepEvent):
    """Pause or resume reaches into a sub-workflow; effect: a message in the child's journal."""

    type: Literal["step.relayed"] = "step.relayed"
    PUBLIC: ClassVar[bool] = False
    child: str
    order: Literal["pause", "resume"]
    by: Actor


class StepRecalled(StepEvent):
    """A sub-workflow is told to stop; effect: a message in the child's journal."""

    type: Literal["step.recalled"] = "step.recalled"
    attempt: int
    child: str
    reason: str


class SignalKept(Event):
    """A signal came; whoever waits for it, now or later, may use it."""

    type: Literal["execution.signalled"] = "execution.signalled"
    signal: Signal


class RegionCancelled(Event):
    """The open steps of a region are cancelled."""

    type: Literal["region.cancelled"] = "region.cancelled"
    region: str
    by: Actor
    reason: str = ""
