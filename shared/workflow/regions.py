"""Regions: a named group of steps that can be cancelled without cancelling the execution."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Actor, RegionCancelRequested
from shared.workflow.scheduling import awaits_word
from shared.workflow.stopping import stop_steps
from shared.workflow.turn import Turn


def region_cancel_requested(turn: Turn, request: RegionCancelRequested) -> None:
    """A person cancels a region, once anything of the execution may run."""
    if turn.state.stop is None and not awaits_word(turn):
        reason = request.reason or f"region {request.region} cancelled by {request.by.id}"
        cancel_region(turn, request.region, request.by, reason)


def cancel_region(turn: Turn, region: str, by: Actor, reason: str) -> None:
    """Cancel the steps of a region that have not ended, with all of their instances."""
    members = turn.program.graph.routes.regions.get(region, ())
    open_ones = [
        key
        for key, one in turn.state.steps.items()
        if base(key) in members and not one.ended and one.status is not StepStatus.STOPPING
    ]
    if open_ones:
        turn.emit(ev.RegionCancelled(region=region, by=by, reason=reason))
        stop_steps(turn, open_ones, reason)
