"""How often work from a queue may fail by a defect before it is given up.

An outage is no defect: what fails because a server is away is tried until it is back. The counts
are of this process: where several processes fail at the same work in turn, or one is started anew,
it is tried so much more often.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

MOST_FAILURES: Final = 5
"""Work is given up with this failure."""
MOST_KNOWN: Final = 10_000
"""Work whose failures are counted; what failed longest ago is forgotten first."""


class Patience:
    """Counts failures by what names the work."""

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._failures: OrderedDict[Hashable, int] = OrderedDict()

    def failed(self, key: Hashable) -> int:
        """How often it has failed by now, this time included."""
        self._failures[key] = self._failures.pop(key, 0) + 1
        if len(self._failures) > self._most:
            self._failures.popitem(last=False)
        return self._failures[key]

    def answered(self, key: Hashable) -> None:
        """It needs no more patience."""
        self._failures.pop(key, None)
