"""Lines that somebody ordered to be forgotten, while a model still holds them: never suggested.

The law: from the moment at which the order is read until a model is there that never saw the line,
nobody is shown it, whoever else ran it. An order knows a digest of the line only, and the model
long lines only as far as it learns them; so those are not shown either, as long as any order waits.
"""

from __future__ import annotations

from shared.learning.command_text import MAX_LINE
from shared.learning.records import Forget, line_digest


class Hidden:
    """See the module. Orders are known by their places."""

    def __init__(self) -> None:
        self._digests: dict[int, str] = {}

    def hide(self, order: Forget, place: int) -> None:
        """Hide what an order names from now on."""
        if order.command:
            self._digests[place] = order.command

    def obeyed(self, upto: int) -> None:
        """The model obeys all orders up to a place: nothing is hidden for them any more."""
        self._digests = {place: one for place, one in self._digests.items() if place > upto}

    def hides(self, line: str) -> bool:
        """Whether a line is not to be shown."""
        if not self._digests:
            return False
        return len(line) >= MAX_LINE or line_digest(line) in self._digests.values()
