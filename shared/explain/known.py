"""Failures that are known: what was done before runs passed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.contracts.api.explain import Finding, Severity
from shared.explain.picture import Picture
from shared.workflow.message_base import Failure
from shared.workflow.state import ExecutionState

MOST_TOLD = 3
"""Things that helped which are told."""


def known(picture: Picture) -> Iterator[Finding]:
    """A step failed in a way that is known."""
    for one in picture.known:
        helped = "; ".join(one.helped[:MOST_TOLD])
        what = f"Before runs passed again: {helped}." if helped else "Nothing is known that helped."
        times = "once" if one.count == 1 else f"{one.count} times"
        yield Finding(
            cause="known_failure",
            severity=Severity.FOLLOWS,
            says=f"Step {one.step} failed in a way that occurred {times} ({one.pattern}). {what}",
            step=one.step,
            action=f"hv failures show {one.id}",
        )


def failures_of(state: ExecutionState) -> Mapping[str, Failure]:
    """The last failure of each step whose last attempt failed, those that ended first first."""
    failed = [
        (step.ended_at_ms, key, step.attempts[-1].failure)
        for key, step in state.steps.items()
        if step.attempts and step.attempts[-1].outcome == "failed"
    ]
    failed.sort(key=lambda one: one[:2])
    return {key: failure for _, key, failure in failed if failure is not None}
