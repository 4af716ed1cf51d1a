"""Executions with a fleet, as the examples of fleets play them."""

from __future__ import annotations

from typing import Any

from tests.unit.workflow.scenario import Run, step

WEB = "agent.labels.role == 'web'"
FIVE = ("a", "b", "c", "d", "e")


def fleet(*names: str, step_fields: dict[str, Any] | None = None, **target: Any) -> Run:
    """A fleet whose step `s` runs on these agents, or asks for its targets where none are given."""
    run = Run(
        step("s", target={"where": WEB, **target}, **(step_fields or {})),
        step("end", "s", parameters={"failed": "${{ steps.s.output.failed }}"}),
    )
    run.request()
    if names:
        run.target("s", *names)
    return run


def begun(run: Run, *states: str) -> list[str]:
    """The targets that are in one of these states, or that have begun."""
    every = [one for one in run.state.steps.values() if one.instance is not None]
    return [
        one.instance.target
        for one in every
        if one.instance is not None
        and (one.status.value in states if states else one.status.value not in ("pending",))
    ]
