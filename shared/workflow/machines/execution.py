"""The execution's machine.

* It is created `pending`; validation and approval make it `waiting` first.
* `running` while any step can move; `waiting` when only something outside can move it.
* `paused` starts nothing new. `cancelling` stops what runs and waits for the proof.
* The ends are final but for one way out: an ended execution can be rolled back. It is
  `rolling_back` while that runs, and then says what came of it: `rolled_back`,
  `rollback_incomplete`, `rollback_failed`, from which it can be rolled back once more.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.workflow.machines.table import Machine, each


class ExecutionStatus(StrEnum):
    """Where an execution stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_INCOMPLETE = "rollback_incomplete"
    ROLLBACK_FAILED = "rollback_failed"


_S = ExecutionStatus

ENDED: Final = frozenset(
    {
        _S.COMPLETED,
        _S.COMPLETED_WITH_ERRORS,
        _S.FAILED,
        _S.CANCELLED,
        _S.ROLLED_BACK,
        _S.ROLLBACK_INCOMPLETE,
        _S.ROLLBACK_FAILED,
    }
)

OVER: Final = ENDED | {_S.ROLLING_BACK}
"""Nothing of its own steps runs any more."""

EXECUTION: Final = Machine(
    name="execution",
    initial=_S.PENDING,
    terminal=ENDED,
    rows={
        "execution.validating": each(_S.PENDING, to=_S.WAITING),
        "execution.validated": each(_S.WAITING, to=_S.PENDING),
        "approval.requested": each(_S.PENDING, to=_S.WAITING),
        "approval.granted": each(_S.WAITING, to=_S.PENDING),
        "approval.rejected": each(_S.WAITING, to=_S.WAITING),
        "approval.expired": each(_S.WAITING, to=_S.WAITING),
        "approval.voided": each(_S.WAITING, to=_S.PENDING),
        "approval.kept": each(_S.PENDING, to=_S.PENDING),
        "execution.breakpoints_changed": {
            status: status for status in (_S.RUNNING, _S.WAITING, _S.PAUSED)
        },
        "execution.started": each(_S.PENDING, to=_S.RUNNING),
        "execution.waiting": each(_S.RUNNING, to=_S.WAITING),
        "execution.continued": each(_S.WAITING, to=_S.RUNNING),
        "execution.paused": each(_S.RUNNING, _S.WAITING, to=_S.PAUSED),
        "execution.resumed": each(_S.PAUSED, to=_S.RUNNING),
        "execution.failing": each(_S.RUNNING, to=_S.RUNNING)
        | each(_S.WAITING, to=_S.WAITING)
        | each(_S.PAUSED, to=_S.PAUSED),
        "execution.handling": {
            status: status for status in (_S.RUNNING, _S.WAITING, _S.PAUSED, _S.CANCELLING)
        },
        "execution.signalled": {
            status: status for status in (_S.RUNNING, _S.WAITING, _S.PAUSED, _S.CANCELLING)
        },
        "execution.cancelling": each(
            _S.RUNNING, _S.WAITING, _S.PAUSED, _S.CANCELLING, to=_S.CANCELLING
        ),
        "execution.completed": each(_S.RUNNING, _S.PAUSED, to=_S.COMPLETED),
        "execution.completed_with_errors": each(_S.RUNNING, _S.PAUSED, to=_S.COMPLETED_WITH_ERRORS),
        "execution.failed": each(_S.RUNNING, _S.WAITING, _S.PAUSED, _S.CANCELLING, to=_S.FAILED),
        "execution.cancelled": each(_S.CANCELLING, to=_S.CANCELLED),
        "execution.rollback_requested": {
            status: status
            for status in (
                _S.RUNNING,
                _S.WAITING,
                _S.PAUSED,
                _S.CANCELLING,
                _S.FAILED,
                _S.CANCELLED,
            )
        },
        "execution.rolling_back": each(*sorted(ENDED), to=_S.ROLLING_BACK),
        "execution.rolled_back": each(_S.ROLLING_BACK, to=_S.ROLLED_BACK),
        "execution.rollback_incomplete": each(_S.ROLLING_BACK, to=_S.ROLLBACK_INCOMPLETE),
        "execution.rollback_failed": each(_S.ROLLING_BACK, to=_S.ROLLBACK_FAILED),
    },
)
