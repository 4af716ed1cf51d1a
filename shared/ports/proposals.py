"""Workflows that were found in what was run, and what people decided about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from shared.mining.proposals import Proposal

Standing = Literal["open", "accepted", "rejected"]


class StoredProposal(BaseModel):
    """A proposal, and what became of it. Times are epoch milliseconds, 0: not yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    proposal: Proposal
    standing: Standing = "open"
    found_at_ms: int = Field(description="When it was found first.")
    seen_at_ms: int = Field(description="When it was found last.")
    decided_at_ms: int = 0
    decided_by: str = ""
    reason: str = Field("", description="Why it was rejected.")
    template_id: str = Field("", description="The template that it became.")
    template_version: str = ""

    @property
    def rank(self) -> int:
        """Where it stands in lists: the higher the earlier."""
        return round(self.proposal.score * 1_000)


class ProposalStore(Protocol):
    """Proposals by their id. What was decided stays; what is open follows what is found."""

    async def renew(self, found: Sequence[Proposal], now_ms: int) -> Sequence[str]:
        """Make the open ones those that were found now: one that is there is told anew and keeps
        when it was found first, the others that are open go. Those that were decided about stay as
        they are. Gives the ids of those that are new."""
        ...

    async def get(self, proposal_id: str) -> StoredProposal | None:
        """One of them, or `None`."""
        ...

    async def page(
        self,
        user: str,
        *,
        standing: Standing | None = None,
        after: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> Sequence[StoredProposal]:
        """Those that `user` may see (everybody's and the user's own) by rank, highest first, and of
        equal rank by id; `after` is the rank and the id of the last one of the page before."""
        ...

    async def every(self) -> Sequence[StoredProposal]:
        """All of them, by id."""
        ...

    async def decide(self, decided: StoredProposal) -> bool:
        """Keep what was decided about one that is open, atomically; False where it is not."""
        ...

    async def forget(self, user: str, before_ms: int) -> int:
        """Remove those that are a user's own and were found before, whatever was decided; gives how
        many."""
        ...
