"""How often an order may fail by a defect before it is given up.

An outage is no defect: what fails because a server is away is tried until it is back. The counts
are of this process: where several services fail at one order in turn, or one is started anew, it is
tried so much more often.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from shared.contracts.rollbacks import RollbackOrder

MOST_FAILURES: Final = 5
"""The order is given up with this failure."""
MOST_KNOWN: Final = 10_000
"""Orders whose failures are counted; the ones that failed longest ago are forgotten first."""

Key = tuple[str, int, str]


class Patience:
    """Counts failures by order: rollback, number and kind of work."""

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._failures: OrderedDict[Key, int] = OrderedDict()

    def failed(self, order: RollbackOrder) -> int:
        """How often it has failed by now, this time included."""
        key = _key(order)
        self._failures[key] = self._failures.pop(key, 0) + 1
        if len(self._failures) > self._most:
            self._failures.popitem(last=False)
        return self._failures[key]

    def answered(self, order: RollbackOrder) -> None:
        """It needs no more patience."""
        self._failures.pop(_key(order), None)


def _key(order: RollbackOrder) -> Key:
    return order.rollback_id, order.number, order.work
