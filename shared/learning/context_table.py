"""What followed a context.

A table of bounded size that holds, per context, its likeliest successors.

The law:

1. A row belongs to one context (a 64-bit key, never 0) and holds up to `width` successors, each a
   32-bit id with two weights: a slow one, and a quick one that tells what came last. Id 0 is no
   successor.
2. Seeing a successor by the amount `a` fades the row's weights by `fade ** a` and then adds `a` to
   that successor. One that has no place takes the place of the lightest.
3. A key may be in any of the `WAYS` rows of its bucket. A new key takes the row of least priority,
   which is the sum of the amounts it saw. Each time it must push another out, the priorities of the
   bucket fade, so that old and rare contexts give way.
4. The table doubles when a third is full, and never beyond `max_rows`.

All contexts of a moment are looked up and updated at once: arrays of keys in, arrays of rows out.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from shared.learning.hashing import UInt64s

WAYS = 4
PRESSED = 0.8
"""What a push leaves of the priorities in a bucket."""

PRESSED_BY_OWNER = 0.98
"""The same where an owner pushes out a row of its own: nobody's flood ages what others made."""

_FIRST_ROWS = 1024
_TAKEN = 1e-3
_ARRAYS = ("keys", "ids", "weights", "quick", "priority", "owners")

UInt32s = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]


class ContextTable:
    """Successors of contexts; see the law above."""

    def __init__(self, width: int, fade: float, quick_fade: float, max_rows: int):
        self.width, self.max_rows = width, max_rows
        self.fade, self.quick_fade = np.float32(fade), np.float32(quick_fade)
        rows = min(_FIRST_ROWS, max_rows)
        self.keys = np.zeros(rows, np.uint64)
        self.ids = np.zeros((rows, width), np.uint32)
        self.weights = np.zeros((rows, width), np.float32)
        self.quick = np.zeros((rows, width), np.float32)
        self.priority = np.zeros(rows, np.float32)
        self.owners = np.zeros(rows, np.uint32)
        self.filled = 0

    def find(self, keys: UInt64s) -> Rows:
        """The row of each key, or -1."""
        places = self._places(keys)
        hit = self.keys[places] == keys[:, None]
        at = np.arange(len(keys)), hit.argmax(1)
        return np.where(hit[at], places[at], -1)

    def _places(self, keys: UInt64s) -> Rows:
        buckets = np.uint64(len(self.keys) // WAYS - 1)
        base = ((keys >> np.uint64(7)) & buckets).astype(np.intp) * WAYS
        return base[:, None] + np.arange(WAYS)

    def successors(self, rows: Rows) -> tuple[UInt32s, Floats, Floats]:
        """Ids, weights and quick weights, each (len(rows), width); a row of -1 has none."""
        ids, weights, quick = self.ids[rows], self.weights[rows], self.quick[rows]
        gone = rows < 0
        ids[gone], weights[gone], quick[gone] = 0, 0, 0
        return ids, weights, quick

    def claim(self, keys: UInt64s, owner: int = 0) -> Rows:
        """The row of each key, made (for `owner`) where there was none. Keys must differ."""
        if self.filled * 3 > len(self.keys) and len(self.keys) * 2 <= self.max_rows:
            self._double()
        rows = self.find(keys)
        while (missing := np.flatnonzero(rows < 0)).size:
            taken = self._take(keys[missing], owner)
            rows[missing[list(taken.values())]] = list(taken)
        return rows

    def _take(self, keys: UInt64s, owner: int) -> dict[int, int]:
        """Give rows to `keys`; returns by row which key has it: the first of those that want it."""
        places = self._places(keys)
        wanted = places[np.arange(len(keys)), self.priority[places].argmin(1)]
        taken: dict[int, int] = {}
        for number, row in enumerate(wanted.tolist()):
            taken.setdefault(row, number)
        rows, first = list(taken), list(taken.values())
        pushed = self.keys[rows] != 0
        self.filled += len(rows) - int(pushed.sum())
        others = self.owners[rows] != np.uint32(owner)
        press = np.where(others, PRESSED, PRESSED_BY_OWNER)[pushed].astype(np.float32)
        self.priority[places[first][pushed]] *= press[:, None]
        self.keys[rows], self.owners[rows] = keys[first], owner
        self.ids[rows], self.weights[rows], self.quick[rows] = 0, 0, 0
        # Above zero: two keys of the same moment do not take the same empty row.
        self.priority[rows] = _TAKEN
        return taken

    def add(self, rows: Rows, successor: int, amounts: Floats) -> None:
        """`successor` was seen after the contexts at `rows`, counting `amounts`."""
        ids, weights, quick = self.ids[rows], self.weights[rows], self.quick[rows]
        weights *= (self.fade**amounts)[:, None]
        quick *= (self.quick_fade**amounts)[:, None]
        same = ids == np.uint32(successor)
        known = same.any(1)
        at = np.arange(len(rows)), np.where(known, same.argmax(1), weights.argmin(1))
        ids[at] = successor
        weights[at] = np.where(known, weights[at], 0) + amounts
        quick[at] = np.where(known, quick[at], 0) + amounts
        self.ids[rows], self.weights[rows], self.quick[rows] = ids, weights, quick
        self.priority[rows] += amounts

    def weight_of(self, rows: Rows, successor: int) -> Floats:
        """The weight of `successor` in each row; 0 where it is not."""
        same = self.ids[rows] == np.uint32(successor)
        found: Floats = np.where(same, self.weights[rows], np.float32(0)).sum(1)
        return found

    def forget(self, owner: int) -> None:
        """Empty all rows that were made for `owner`."""
        rows = np.flatnonzero((self.owners == np.uint32(owner)) & (self.keys != 0))
        for name in _ARRAYS:
            getattr(self, name)[rows] = 0
        self.filled -= len(rows)

    def _double(self) -> None:
        rows = len(self.keys)
        upper = (self.keys >> np.uint64(7)) & np.uint64(rows // WAYS) != 0
        target = np.arange(rows) + np.where(upper, rows, 0)
        for name in _ARRAYS:
            old = getattr(self, name)
            new = np.zeros((2 * rows, *old.shape[1:]), old.dtype)
            new[target] = old
            setattr(self, name, new)

    def state(self) -> dict[str, object]:
        """What `restore` needs."""
        return {"filled": self.filled, **{name: getattr(self, name) for name in _ARRAYS}}

    def restore(self, state: Mapping[str, object]) -> None:
        """Be as the table was that gave `state`."""
        for name, value in state.items():
            setattr(self, name, value)
