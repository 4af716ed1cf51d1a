"""How the last runs of a template went: what normally happens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from shared.contracts.api.explain import Usual
from shared.explain.picture import Past
from shared.workflow.binding import base
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState


def past_of(states: Iterable[ExecutionState]) -> Past:
    """From executions that have ended: of steps those count that completed, of gates those that
    were granted. The instances of a loop are counted together."""
    took: dict[str, list[int]] = defaultdict(list)
    runs = completed = 0
    for state in states:
        runs += 1
        completed += state.status is ExecutionStatus.COMPLETED
        for name, step in state.steps.items():
            if step.status is StepStatus.COMPLETED and step.started_at_ms:
                key = base(name)
                if key == name and step.instances:
                    continue  # the loop itself: its instances are what is asked about
                took[key].append(max(0, step.ended_at_ms - step.started_at_ms))
        for name, gate in state.gates.items():
            if gate.status is ApprovalStatus.GRANTED:
                took[f"gate:{name}"].append(max(0, gate.closed_at_ms - gate.requested_at_ms))
    return Past(runs, completed, {key: _usual(values) for key, values in took.items()})


def _usual(values: list[int]) -> Usual:
    ordered = sorted(values)
    last = len(ordered) - 1
    return Usual(
        runs=len(ordered), median_ms=ordered[last // 2], p95_ms=ordered[round(last * 0.95)]
    )
