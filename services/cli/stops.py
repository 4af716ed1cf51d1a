"""What `hv show` tells of attempts that were stopped: whether what they ran is gone, and how so."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.api.executions import StepView
from shared.workflow.messages import Proof


def stops(step: StepView) -> Iterator[tuple[str, str]]:
    """A line for each attempt with a proof, and the style in which to print it."""
    for attempt in step.attempts:
        if attempt.proof is not None:
            style = "" if attempt.proof.gone else "yellow"
            yield f"\n{step.id}, attempt {attempt.number}: {told(attempt.proof)}", style


def told(proof: Proof) -> str:
    """A proof as a sentence."""
    state = "gone" if proof.gone else "not proven to be gone"
    how = [", then ".join(proof.signals), proof.exit, _processes(proof.pids)]
    listed = ", ".join(filter(None, how))
    return f"{state} ({listed}): {proof.reason}" if listed else f"{state}: {proof.reason}"


def _processes(pids: tuple[int, ...]) -> str:
    if not pids:
        return ""
    return f"{'process' if len(pids) == 1 else 'processes'} {' '.join(map(str, pids))}"
