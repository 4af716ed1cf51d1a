"""What every learned model is: a fold over the record.

The law:

1. *One order, one state.* Who applies the same items at the same places in the same order holds the
   same model: `save` gives the same bytes, whenever it was saved and loaded in between and whatever
   it was asked. So no clock, no chance, no order of a set.
2. *An item comes once.* Who folds sees to that; a model need not look for what comes again.
3. *Forgetting is exact, or refused.* After `forget` said True, the model is as if it had never seen
   what the order names; a later item of the same user counts again. If it said False, it must be
   rebuilt from the record, where what is to be forgotten is gone; who folds does that. What the
   model never saw, it forgets by changing nothing.
4. *Bounded.* A model holds a bounded amount, whatever comes.
5. *An item that it cannot use* changes nothing. An error of `apply` is logged, the item skipped.

`apply` never gets a `Forget`; that is `forget`'s. Both run in a thread, one call at a time.
"""

from __future__ import annotations

from typing import Protocol

from shared.learning.records import AnyRecord, Forget


class Fold(Protocol):
    """A model that learns from the record; see the law above."""

    @property
    def name(self) -> str:
        """Which model it is: lower case and hyphens; names its snapshots."""
        ...

    @property
    def version(self) -> int:
        """Rises when the same record gives another state, or `save` other bytes."""
        ...

    @property
    def personal(self) -> bool:
        """Whether it learns from what an order to forget can name: commands and feedback."""
        ...

    def apply(self, item: AnyRecord, place: int) -> None:
        """Learn from the item at `place`; places rise and leave gaps."""
        ...

    def forget(self, order: Forget) -> bool:
        """Forget exactly, and say True; or say False: it must be rebuilt."""
        ...

    def save(self) -> bytes:
        """The whole state."""
        ...

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`. Raises ValueError for anything else."""
        ...
