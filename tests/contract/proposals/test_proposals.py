"""What the store of proposed workflows does, in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.proposals import MongoProposals
from shared.memory.proposals import MemoryProposals
from shared.mining.proposals import Proposal, Saving, Support
from shared.ports.proposals import ProposalStore, StoredProposal
from shared.workflow.definition import Template


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ProposalStore]:
    """Each test has a store of its own."""
    if request.param == "memory":
        yield MemoryProposals()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    proposals = MongoProposals(mongo)
    await proposals.ensure_indexes()
    yield proposals
    await mongo.close()


def proposal(name: str, score: float = 1.0, owner: str = "") -> Proposal:
    template = Template.model_validate(
        {"id": f"found_{name}", "name": name, "parameters": {"x": {"type": "string"}},
         "steps": [{"id": "a", "command": "noop"}, {"id": "b", "command": "noop"}]}
    )  # fmt: skip
    return Proposal(
        id=name,
        owner=owner,
        title=name,
        template=template,
        steps=("a <x>", "b"),
        signature=(("a",), ("b",)),
        support=Support(users=2, sessions=5, runs=6, log10_p=-9.0, complete=1.0),
        saving=Saving(per_run_s=20, per_week_s=100, measured=True),
        score=score,
        examples=(("a 1", "b"),),
    )


async def test_gives_back_what_was_found(store: ProposalStore) -> None:
    """A proposal comes back equal, its template as it was written, open, with when it was found."""
    assert await store.get("p") is None
    assert list(await store.renew([proposal("p")], 7)) == ["p"]
    found = await store.get("p")
    assert found == StoredProposal(proposal=proposal("p"), found_at_ms=7, seen_at_ms=7)
    assert found is not None
    assert found.proposal.template.parameters["x"].is_required


async def test_what_is_found_again_is_the_same_one(store: ProposalStore) -> None:
    """Found again it keeps when it was found first, and is told as it is now; it is not new."""
    await store.renew([proposal("p")], 1)
    assert list(await store.renew([proposal("p", 2.0), proposal("q")], 5)) == ["q"]
    found = await store.get("p")
    assert found is not None
    assert (found.found_at_ms, found.seen_at_ms, found.proposal.score) == (1, 5, 2.0)


async def test_what_is_not_found_any_more_goes(store: ProposalStore) -> None:
    """An open proposal that no longer holds is withdrawn."""
    await store.renew([proposal("p"), proposal("q")], 1)
    await store.renew([proposal("q")], 2)
    assert await store.get("p") is None
    assert [one.proposal.id for one in await store.every()] == ["q"]


async def test_what_was_decided_stays(store: ProposalStore) -> None:
    """Of two who decide one finds it decided; it neither goes nor opens again."""
    await store.renew([proposal("p")], 1)
    there = await store.get("p")
    assert there is not None
    decided = there.model_copy(update={"standing": "rejected", "reason": "no", "decided_by": "ann"})
    assert await store.decide(decided)
    assert not await store.decide(there.model_copy(update={"standing": "accepted"}))
    await store.renew([], 2)
    assert list(await store.renew([proposal("p", 9.0)], 3)) == []
    assert await store.get("p") == decided
    other = decided.model_copy(update={"proposal": proposal("never")})
    assert not await store.decide(other)


async def test_lists_what_a_user_may_see(store: ProposalStore) -> None:
    """Everybody's and one's own, the best first, page by page; by what was decided."""
    await store.renew(
        [proposal("a", 1), proposal("b", 3), proposal("c", 3), proposal("d", 2, "ann"),
         proposal("e", 9, "bob")],
        1,
    )  # fmt: skip
    seen = await store.page("ann")
    assert [one.proposal.id for one in seen] == ["b", "c", "d", "a"]
    first = await store.page("ann", limit=2)
    rest = await store.page("ann", after=(first[-1].rank, first[-1].proposal.id))
    assert [one.proposal.id for one in rest] == ["d", "a"]
    assert list(await store.page("ann", standing="accepted")) == []
    assert [one.proposal.id for one in await store.page("zoe", standing="open")] == ["b", "c", "a"]


async def test_forgets_what_is_a_users_own(store: ProposalStore) -> None:
    """All that is one user's goes, decided or not, and nothing else."""
    await store.renew([proposal("a", 1, "ann"), proposal("b", 1, "ann"), proposal("c")], 1)
    there = await store.get("a")
    assert there is not None
    await store.decide(there.model_copy(update={"standing": "accepted"}))
    assert await store.forget("ann", 1) == 0
    assert await store.forget("ann", 2) == 2
    assert await store.forget("", 2) == 0
    assert [one.proposal.id for one in await store.every()] == ["c"]
