"""Given its name, which line: what a user, and all, made of a name before."""

import numpy as np

from shared.learning.evidence import Memory
from shared.learning.hashing import UInt64s, hash_text, salted

WIDTH = 4
"""Features of a line: its share and quick share among the user's lines of its name, and all's."""

_SALT = hash_text("the lines of a name")


class LinesOfNames:
    """The lines that names stood for; `features` by line id."""

    def __init__(self, memory: Memory, user: int, names: list[int]):
        self._memory, self._user = memory, user
        self.features: dict[int, list[float]] = {}
        keys = np.array(names, np.uint64)
        for scope, table in enumerate((memory.user.narrow, memory.collective.narrow)):
            ids, weights, quick = table.successors(table.find(self._keys(keys, scope)))
            shares = weights / (weights.sum(1) + 0.5 * (ids != 0).sum(1) + 1e-9)[:, None]
            quick = quick / (quick.sum(1) + 0.5)[:, None]
            cells = zip(*(part.ravel().tolist() for part in (ids, shares, quick)), strict=True)
            for line, share, quick_share in cells:
                if line:
                    mine = self.features.setdefault(line, [0.0] * WIDTH)
                    mine[2 * scope : 2 * scope + 2] = share, quick_share

    def _keys(self, names: UInt64s, scope: int) -> UInt64s:
        return salted(names, _SALT if scope else _SALT ^ self._user)

    def learn(self, name: int, line: int) -> None:
        """This time `name` stood for `line`; in the collective it counts as evidence does."""
        memory, owner = self._memory, self._user & 0xFFFFFFFF
        key = np.array([name], np.uint64)
        own, shared = memory.user.narrow, memory.collective.narrow
        rows = own.claim(self._keys(key, 0), owner)
        damping = 1 + own.priority[rows] / memory.options.context_damping
        amount = (1 / (1 + own.weight_of(rows, line)) / damping).astype(np.float32)
        own.add(rows, line, np.ones(1, np.float32))
        shared.add(shared.claim(self._keys(key, 1), owner), line, amount)
