"""What the coordinator decides about an agent's claims, and how long the agent may rely on it.

The law of starting:

* A claim in the journal is a request. What changes something is not begun before the coordinator
  has granted it; the grant follows from the journal up to the claim, so a cancellation, a failure
  or any other end that the journal holds before the claim keeps the attempt from ever beginning.
* A grant is good for `RELY_S` from when the claim (or the question about it) was sent. Who stood
  still for longer asks again: the attempt may have been ended without its agent meanwhile.
* Nobody ends an attempt without its agent sooner than `OUTLAST_S` after the agent fell silent.

So an attempt that was cancelled, given up or superseded never begins later, however long its agent
was stopped, swapped out or cut off. What is left is a stop between the last look and the start of
the program, some milliseconds wide: against that stands the fencing token, the journal sequence of
the claim, which a program can hand to what it changes (`HIVE_FENCING_TOKEN`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

RELY_S: Final = 3.5
"""Longer than a coordinator takes to answer a question, or says that it cannot."""
OUTLAST_S: Final = 4.5
"""After so much silence a grant has run out, or what was granted is running."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to start. `since_s` is when the question that it answers was sent; the clock goes on
    while this process, or the whole host, stands still."""

    fence: int
    since_s: float
    elapsed_s: Callable[[], float]

    @property
    def is_good(self) -> bool:
        """Whether it may still be relied on."""
        return self.elapsed_s() - self.since_s <= RELY_S
