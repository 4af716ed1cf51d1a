"""Pause and resume reach into sub-workflows."""

from __future__ import annotations

from typing import Literal

from shared.workflow import events as ev
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Actor
from shared.workflow.turn import Turn


def relay(turn: Turn, order: Literal["pause", "resume"], by: Actor) -> None:
    """Pass an order on to every sub-workflow that is under way."""
    for key, step in turn.state.steps.items():
        if step.status is StepStatus.CALLING and step.child is not None:
            turn.emit(ev.StepRelayed(step=key, child=step.child, order=order, by=by))
