"""Evidence for what comes next.

What followed each context of the moment, for this user and for all.

The collective is protected from any single user. What a user adds to a context there counts

    1 / (1 + w) / (1 + v / D)

where w is the weight that the user's own table gives this successor in this context, v how often
the user was in this context, and D `context_damping`. So the total influence of one user on a
context grows as D·ln(1 + v/D), and fading, too, is by that amount.
"""

import numpy as np
import numpy.typing as npt

from shared.learning.context_table import ContextTable, Floats, Rows, UInt32s
from shared.learning.contexts import COUNT, WIDE
from shared.learning.hashing import UInt64s, hash_text, salted
from shared.learning.options import LearningOptions

ROWS = 2 * COUNT
"""Rows of evidence: the user's contexts, then the collective's."""

FEATURES = 3 * ROWS
"""Features of a candidate: share, log of weight and quick share in each row."""

_WIDE_WIDTH, _NARROW_WIDTH = 24, 6
_ONE_SCOPE = np.concatenate(
    [np.repeat(np.arange(WIDE), _WIDE_WIDTH), np.repeat(np.arange(WIDE, COUNT), _NARROW_WIDTH)]
)
_ROW_OF_CELL = np.concatenate([_ONE_SCOPE, _ONE_SCOPE + COUNT])


class Scope:
    """The tables of all users' own contexts, or those of the collective."""

    def __init__(self, fade: float, quick_fade: float, max_rows: int):
        slow = 1 - (1 - fade) / 2
        self.wide = ContextTable(_WIDE_WIDTH, slow, quick_fade, max_rows // 8)
        self.narrow = ContextTable(_NARROW_WIDTH, fade, quick_fade, max_rows)

    def cells(self, keys: UInt64s) -> tuple[UInt32s, Floats, Floats]:
        """Ids, weights and quick weights of all successors, flat, in the order of `_ONE_SCOPE`."""
        wide = self.wide.successors(self.wide.find(keys[:WIDE]))
        narrow = self.narrow.successors(self.narrow.find(keys[WIDE:]))
        ids, weights, quick = (
            np.concatenate([one.ravel(), other.ravel()])
            for one, other in zip(wide, narrow, strict=True)
        )
        return ids, weights, quick

    def claim(self, keys: UInt64s, owner: int = 0) -> tuple[Rows, Rows]:
        """The rows of `keys` in both tables."""
        return self.wide.claim(keys[:WIDE], owner), self.narrow.claim(keys[WIDE:], owner)

    def add(self, rows: tuple[Rows, Rows], successor: int, amounts: Floats) -> None:
        """`successor` was seen at `rows`."""
        self.wide.add(rows[0], successor, amounts[:WIDE])
        self.narrow.add(rows[1], successor, amounts[WIDE:])

    def weight_of(self, rows: tuple[Rows, Rows], successor: int) -> Floats:
        """The weight of `successor` at `rows`."""
        wide = self.wide.weight_of(rows[0], successor)
        return np.concatenate([wide, self.narrow.weight_of(rows[1], successor)])

    def visits(self, rows: tuple[Rows, Rows]) -> Floats:
        """How much was added at `rows`, unfaded."""
        return np.concatenate([self.wide.priority[rows[0]], self.narrow.priority[rows[1]]])


class Memory:
    """Both scopes."""

    def __init__(self, options: LearningOptions):
        self.options = options
        self.user = Scope(options.user_fade, options.user_quick_fade, options.max_user_rows)
        self.collective = Scope(
            options.collective_fade, options.collective_quick_fade, options.max_collective_rows
        )

    def tables(self) -> dict[str, ContextTable]:
        """All tables by name."""
        scopes = {"user": self.user, "collective": self.collective}
        return {
            f"{scope}.{width}": getattr(tables, width)
            for scope, tables in scopes.items()
            for width in ("wide", "narrow")
        }


class Evidence:
    """What followed the contexts `keys`, among things of one sort (names, lines, templates)."""

    def __init__(self, memory: Memory, keys: UInt64s, user: int, sort: str):
        self._memory, self._user = memory, user
        salt = hash_text(sort)
        self._own, self._all = salted(keys, user ^ salt), salted(keys, salt)
        own, collective = memory.user.cells(self._own), memory.collective.cells(self._all)
        ids, weights, quick = (np.concatenate(pair) for pair in zip(own, collective, strict=True))
        self.totals = np.bincount(_ROW_OF_CELL, weights, ROWS)
        different = np.bincount(_ROW_OF_CELL, ids != 0, ROWS)
        some = np.flatnonzero(ids)
        weights, quick, rows = weights[some], quick[some], _ROW_OF_CELL[some]
        self.ids, self._which = np.unique(ids[some], return_inverse=True)
        self._rows = rows
        self._shares = weights / (self.totals[rows] + 0.5 * different[rows])
        self._logs = np.log1p(weights * 10) * 0.3
        self._quick = quick / (np.bincount(rows, quick, ROWS)[rows] + 0.5)
        self.scores = np.bincount(self._which, self._shares + self._quick, len(self.ids))

    def best(self) -> list[int]:
        """Indices into `ids`, the one with most evidence first."""
        best: list[int] = np.argsort(-self.scores, kind="stable").tolist()
        return best

    def write(self, features: Floats, candidate: npt.NDArray[np.intp], offset: int) -> None:
        """Put the features of `ids[i]` into row `candidate[i]` (-1.

        None) from column `offset` on.
        """
        target = candidate[self._which]
        good = target >= 0
        target, column = target[good], self._rows[good] + offset
        for part, values in enumerate((self._shares, self._logs, self._quick)):
            np.maximum.at(features, (target, column + part * ROWS), values[good])

    def rows_for(self, wanted: int) -> list[tuple[int, float]]:
        """(row, share) of all evidence for one id."""
        mine = self.ids[self._which] == wanted
        return list(zip(self._rows[mine].tolist(), self._shares[mine].tolist(), strict=True))

    def learn(self, came: int) -> Floats:
        """`came` came next; returns how often the user had been in each context before."""
        user, collective = self._memory.user, self._memory.collective
        owner = self._user & 0xFFFFFFFF
        rows = user.claim(self._own, owner)
        visits = user.visits(rows)
        damping = self._memory.options.context_damping
        amounts = 1 / (1 + user.weight_of(rows, came)) / (1 + visits / damping)
        user.add(rows, came, np.ones(COUNT, np.float32))
        collective.add(collective.claim(self._all, owner), came, amounts.astype(np.float32))
        return visits
