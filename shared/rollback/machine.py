"""The machine of an execution's rollback.

* `asked`: the execution is brought to its end, and held.
* `planning`: a rollback service works out what is to be undone.
* `running`: an execution of its own undoes it. `accounting`: it is over, and its results are read.
* `awaiting_people`: people undo it by hand, and tick it off.
* An end is final for one rollback; the execution may be rolled back once more, as another number.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.workflow.machines.table import Machine, each


class RollbackStatus(StrEnum):
    """Where a rollback stands."""

    ASKED = "asked"
    PLANNING = "planning"
    RUNNING = "running"
    ACCOUNTING = "accounting"
    AWAITING_PEOPLE = "awaiting_people"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_INCOMPLETE = "rollback_incomplete"
    ROLLBACK_FAILED = "rollback_failed"


_S = RollbackStatus

WITH_SERVICE: Final = frozenset({_S.PLANNING, _S.ACCOUNTING})
"""In these it waits for an answer of a rollback service."""
OVER: Final = frozenset({_S.ROLLED_BACK, _S.ROLLBACK_INCOMPLETE, _S.ROLLBACK_FAILED})

ROLLBACK: Final = Machine(
    name="rollback",
    initial=_S.ASKED,
    terminal=OVER,
    rows={
        "asked": each(*sorted(OVER), to=_S.ASKED),
        "held": each(_S.ASKED, to=_S.PLANNING),
        "run": each(_S.PLANNING, to=_S.RUNNING),
        "handed_over": each(_S.PLANNING, to=_S.AWAITING_PEOPLE),
        "ran": each(_S.RUNNING, to=_S.ACCOUNTING),
        "rolled_back": each(_S.PLANNING, _S.ACCOUNTING, _S.AWAITING_PEOPLE, to=_S.ROLLED_BACK),
        "rollback_incomplete": each(
            _S.PLANNING, _S.ACCOUNTING, _S.AWAITING_PEOPLE, to=_S.ROLLBACK_INCOMPLETE
        ),
        "rollback_failed": each(
            _S.ASKED, _S.PLANNING, _S.ACCOUNTING, _S.AWAITING_PEOPLE, to=_S.ROLLBACK_FAILED
        ),
    },
)
