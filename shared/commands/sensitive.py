"""Which output fields are secret when some are declared to be.

Some commands say the same in two fields: `json` is standard output, or a body, parsed. Where one of
them is secret, the other is too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_SAME: Final[tuple[frozenset[str], ...]] = (
    frozenset({"stdout", "json"}),
    frozenset({"body", "json"}),
)


def secret_fields(declared: Iterable[str]) -> frozenset[str]:
    """The fields declared sensitive, and those that say the same as one of them."""
    named = frozenset(declared)
    return named.union(*(same for same in _SAME if same & named))
