"""What is learned of outcomes, as documents: written by the learning service, read by gateways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from shared.outcomes.views import ProposalView, Status, View

V = TypeVar("V", bound=View)


class OutcomeViews(Protocol):
    """Views by their kind and key."""

    async def put(self, views: Sequence[View]) -> None:
        """Keep views; one of the same kind and key is replaced."""
        ...

    async def remove(self, kind: type[View], keys: Sequence[str]) -> None:
        """Remove views, where they are."""
        ...

    async def get(self, kind: type[V], key: str) -> V | None:
        """One view, or `None`."""
        ...

    async def page(
        self,
        kind: type[V],
        *,
        group: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> Sequence[V]:
        """Views of one kind (and group) by rank, highest first, and of equal rank by key; `after`
        is the rank and the key of the last one of the page before."""
        ...

    async def keys(self, kind: type[View]) -> Sequence[str]:
        """The keys of every view of one kind, in order."""
        ...

    async def change(self, view: ProposalView, expected: Status | None) -> bool:
        """Keep a proposal if the one of its key stands as expected (None: there is none),
        atomically; False where it does not."""
        ...
