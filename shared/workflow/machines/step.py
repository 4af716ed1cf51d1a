"""The step's machine; an attempt is one passage from `scheduled` to an end.

* `scheduled` means a task is with a pool of agents; `blocked` that no live agent fits.
* `running` begins with the runner's claim in the journal: before anything is run, or, where running
  it twice does no harm, a moment later; what is over by then passes through it with its report.
* `waiting` is an attempt that holds no agent (a delegated task, a long wait).
* `expanded` is a loop or a fleet whose instances are under way, `calling` a sub-workflow that is.
* `skipped` from `scheduled` is a target of a fleet that is gone before anything began on it.
* `lost` is a state of its own: the worker died midway and nobody knows what it did.
* `stopping` waits for the proof that what ran is gone.
* A person may mark an open step as completed or failed (`marked`); what runs of it is stopped
  first.
* A re-run begins with the steps that it keeps (`kept`), which never run in it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.workflow.machines.table import Machine, each


class StepStatus(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    BLOCKED = "blocked"
    RUNNING = "running"
    WAITING = "waiting"
    EXPANDED = "expanded"
    CALLING = "calling"
    RETRYING = "retrying"
    LOST = "lost"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


_S = StepStatus

STEP_ENDED: Final = frozenset({_S.COMPLETED, _S.FAILED, _S.SKIPPED, _S.CANCELLED})
BUSY: Final = frozenset(
    {_S.SCHEDULED, _S.BLOCKED, _S.RUNNING, _S.CALLING, _S.RETRYING, _S.STOPPING}
)
"""Open, and moved by us or by an agent."""
OUTSIDE: Final = frozenset({_S.WAITING, _S.LOST})
"""Open, and moved only by something outside."""
MARKABLE: Final = tuple(s for s in _S if s not in STEP_ENDED and s is not _S.STOPPING)
"""A person may say what became of it."""

STEP: Final = Machine(
    name="step",
    initial=_S.PENDING,
    terminal=STEP_ENDED,
    rows={
        "step.scheduled": each(
            _S.PENDING, _S.SCHEDULED, _S.BLOCKED, _S.RETRYING, _S.WAITING, to=_S.SCHEDULED
        ),
        "step.blocked": each(_S.SCHEDULED, to=_S.BLOCKED),
        "step.started": each(_S.SCHEDULED, _S.BLOCKED, to=_S.RUNNING),
        "step.woken": {status: status for status in (_S.SCHEDULED, _S.BLOCKED, _S.RUNNING)},
        "step.deferred": each(_S.RUNNING, to=_S.WAITING),
        "step.kept": each(_S.PENDING, to=_S.COMPLETED),
        "step.failure_kept": each(_S.PENDING, to=_S.FAILED),
        "step.planned": each(_S.PENDING, to=_S.PENDING),
        "step.marked": {status: status for status in MARKABLE},
        "step.mark_voided": each(_S.STOPPING, to=_S.STOPPING),
        "step.hurried": {
            status: status for status in (_S.RETRYING, _S.BLOCKED, _S.WAITING, _S.EXPANDED)
        },
        "step.expanded": each(_S.PENDING, to=_S.EXPANDED),
        "step.extended": each(_S.EXPANDED, to=_S.EXPANDED),
        "step.targeting": each(_S.PENDING, to=_S.EXPANDED),
        "step.targeted": each(_S.EXPANDED, to=_S.EXPANDED),
        "step.batch_started": each(_S.EXPANDED, to=_S.EXPANDED),
        "step.batch_ended": each(_S.EXPANDED, to=_S.EXPANDED),
        "step.fleet_stopped": each(_S.EXPANDED, to=_S.EXPANDED),
        "step.routed": each(_S.PENDING, to=_S.COMPLETED),
        "step.awaiting": each(_S.PENDING, to=_S.WAITING),
        "step.chosen": each(_S.WAITING, to=_S.COMPLETED),
        "step.called": each(_S.PENDING, _S.RETRYING, to=_S.CALLING),
        "step.relayed": each(_S.CALLING, to=_S.CALLING),
        "step.recalled": each(_S.CALLING, _S.STOPPING, to=_S.STOPPING),
        "step.completed": each(
            _S.PENDING,
            _S.SCHEDULED,
            _S.BLOCKED,
            _S.RUNNING,
            _S.WAITING,
            _S.STOPPING,
            _S.LOST,
            _S.EXPANDED,
            _S.CALLING,
            _S.RETRYING,
            to=_S.COMPLETED,
        ),
        "step.failed": each(
            _S.PENDING,
            _S.SCHEDULED,
            _S.BLOCKED,
            _S.RUNNING,
            _S.WAITING,
            _S.LOST,
            _S.EXPANDED,
            _S.CALLING,
            _S.RETRYING,
            _S.STOPPING,
            to=_S.FAILED,
        ),
        "step.retrying": each(_S.RUNNING, _S.LOST, _S.CALLING, to=_S.RETRYING),
        "step.repeating": each(_S.RUNNING, _S.CALLING, _S.LOST, to=_S.RETRYING),
        "step.lost": each(_S.SCHEDULED, _S.BLOCKED, _S.RUNNING, _S.STOPPING, to=_S.LOST),
        "step.skipped": each(_S.PENDING, _S.SCHEDULED, to=_S.SKIPPED),
        "step.revoked": {status: status for status in _S},
        "step.stopping": each(_S.RUNNING, _S.STOPPING, to=_S.STOPPING),
        "step.cancelled": each(
            _S.PENDING,
            _S.SCHEDULED,
            _S.BLOCKED,
            _S.WAITING,
            _S.RETRYING,
            _S.LOST,
            _S.STOPPING,
            _S.EXPANDED,
            to=_S.CANCELLED,
        ),
    },
)
