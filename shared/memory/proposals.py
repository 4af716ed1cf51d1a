"""Proposals of workflows, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.mining.proposals import Proposal
from shared.ports.proposals import Standing, StoredProposal


class MemoryProposals:
    """Proposals by their id."""

    def __init__(self) -> None:
        self._all: dict[str, StoredProposal] = {}

    async def renew(self, found: Sequence[Proposal], now_ms: int) -> Sequence[str]:
        """Make the open ones those that were found now."""
        ids = {one.id for one in found}
        for key in [k for k, s in self._all.items() if s.standing == "open" and k not in ids]:
            del self._all[key]
        new = []
        for one in found:
            there = self._all.get(one.id)
            if there is None:
                new.append(one.id)
            elif there.standing != "open":
                continue
            first = there.found_at_ms if there is not None else now_ms
            self._all[one.id] = StoredProposal(proposal=one, found_at_ms=first, seen_at_ms=now_ms)
        return new

    async def get(self, proposal_id: str) -> StoredProposal | None:
        """One of them, or `None`."""
        return self._all.get(proposal_id)

    async def page(
        self,
        user: str,
        *,
        standing: Standing | None = None,
        after: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> Sequence[StoredProposal]:
        """Those that `user` may see, by rank and id."""
        seen = [
            one
            for one in self._all.values()
            if one.proposal.owner in ("", user) and standing in (None, one.standing)
        ]
        seen.sort(key=_place)
        if after is not None:
            seen = [one for one in seen if _place(one) > (-after[0], after[1])]
        return seen[:limit]

    async def every(self) -> Sequence[StoredProposal]:
        """All of them, by id."""
        return [self._all[key] for key in sorted(self._all)]

    async def decide(self, decided: StoredProposal) -> bool:
        """Keep what was decided about one that is open."""
        there = self._all.get(decided.proposal.id)
        if there is None or there.standing != "open":
            return False
        self._all[decided.proposal.id] = decided
        return True

    async def forget(self, user: str, before_ms: int) -> int:
        """Remove those that are a user's own and were found before."""
        gone = [
            key
            for key, one in self._all.items()
            if user and one.proposal.owner == user and one.found_at_ms < before_ms
        ]
        for key in gone:
            del self._all[key]
        return len(gone)


def _place(one: StoredProposal) -> tuple[int, str]:
    return -one.rank, one.proposal.id
