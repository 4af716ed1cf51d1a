"""What is learned of outcomes, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from shared.outcomes.views import ProposalView, Status, View

V = TypeVar("V", bound=View)


class MemoryOutcomeViews:
    """Views by their kind and key."""

    def __init__(self) -> None:
        self._views: dict[tuple[str, str], View] = {}

    async def put(self, views: Sequence[View]) -> None:
        """Keep views; one of the same kind and key is replaced."""
        for one in views:
            self._views[one.kind, one.key] = one

    async def remove(self, kind: type[View], keys: Sequence[str]) -> None:
        """Remove views, where they are."""
        for key in keys:
            self._views.pop((kind.kind, key), None)

    async def get(self, kind: type[V], key: str) -> V | None:
        """One view, or `None`."""
        return cast("V | None", self._views.get((kind.kind, key)))

    async def page(
        self,
        kind: type[V],
        *,
        group: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> Sequence[V]:
        """Views of one kind (and group) by rank, highest first, and of equal rank by key."""
        found = [
            cast("V", view)
            for (name, _), view in self._views.items()
            if name == kind.kind and group in (None, view.group)
        ]
        found.sort(key=_order)
        if after is not None:
            found = [one for one in found if _order(one) > (-after[0], after[1])]
        return found[:limit]

    async def keys(self, kind: type[View]) -> Sequence[str]:
        """The keys of every view of one kind, in order."""
        return sorted(key for name, key in self._views if name == kind.kind)

    async def change(self, view: ProposalView, expected: Status | None) -> bool:
        """Keep a proposal if the one of its key stands as expected."""
        there = await self.get(ProposalView, view.key)
        if (there.status if there is not None else None) != expected:
            return False
        await self.put((view,))
        return True


def _order(view: View) -> tuple[float, str]:
    return -view.rank, view.key
