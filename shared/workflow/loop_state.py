"""How a loop or a fleet stands: counts that are kept with its instances, so that nothing has to be
counted again when one of a thousand ends."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared.workflow.machines.step import STEP_ENDED, StepStatus
from shared.workflow.messages import Failure
from shared.workflow.trusted import renewed


class FleetState(BaseModel):
    """A fleet. `asked`: the journal sequence at which its targets were asked for; `batches` is 0
    until they are known. The first `canaries` targets are the canary. `batch` is the last that
    began, `over` the last that is over. `stopped`: why no more of it begins."""

    model_config = ConfigDict(frozen=True)

    asked: int
    batches: int = 0
    canaries: int = 0
    batch: int = 0
    over: int = 0
    stopped: Failure | None = None


class LoopState(BaseModel):
    """Counts of instances by where they stand. `under_way` have begun and not ended; no instance
    before number `first` is pending."""

    model_config = ConfigDict(frozen=True)

    completed: int = 0
    failed: int = 0
    ended: int = 0
    under_way: int = 0
    first: int = 0
    fleet: FleetState | None = None

    def counting(self, before: StepStatus, after: StepStatus, first: int) -> LoopState:
        """The counts after one instance went from one status to another."""
        s = StepStatus
        return renewed(
            self,
            {
                "completed": self.completed + (after is s.COMPLETED) - (before is s.COMPLETED),
                "failed": self.failed + (after is s.FAILED) - (before is s.FAILED),
                "ended": self.ended + (after in STEP_ENDED) - (before in STEP_ENDED),
                "under_way": self.under_way + _under_way(after) - _under_way(before),
                "first": first,
            },
        )


def _under_way(status: StepStatus) -> bool:
    return status is not StepStatus.PENDING and status not in STEP_ENDED
