"""What the store of views does, in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.outcomes import MongoOutcomeViews
from shared.memory.outcomes import MemoryOutcomeViews
from shared.outcomes.views import AgentView, GainView, InsightView, ProposalView, Status
from shared.ports.outcomes import OutcomeViews


@pytest.fixture(params=["memory", "mongo"])
async def views(request: pytest.FixtureRequest) -> AsyncIterator[OutcomeViews]:
    """Each test has a store of its own."""
    if request.param == "memory":
        yield MemoryOutcomeViews()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    store = MongoOutcomeViews(mongo)
    await store.ensure_indexes()
    yield store
    await mongo.close()


def agent(name: str, factor: float) -> AgentView:
    return AgentView(agent=name, attempts=9, failed=1, factor=factor, at_ms=1)


def insight(name: str, at_ms: int) -> InsightView:
    return InsightView(
        id=name, insight="tuning", title="t", text="ü\n", confidence=0.5, cases=3, at_ms=at_ms
    )


def proposal(status: Status, reason: str = "") -> ProposalView:
    return ProposalView(
        id="rollout.deploy.timeout_s",
        template_id="rollout",
        version="1.0.0",
        step="deploy",
        setting="timeout_s",
        current=300.0,
        proposed=6.0,
        gain=GainView(measure="seconds", before=300, after=6, low=6, high=6),
        cases=60,
        why="faster",
        status=status,
        reason=reason,
    )


async def test_gives_back_what_was_put(views: OutcomeViews) -> None:
    """A view comes back equal, by its kind and key; another one of both replaces it."""
    assert await views.get(InsightView, "a") is None
    await views.put([insight("a", 1), agent("a", 2.0)])
    await views.put([insight("a", 2)])
    await views.put([])
    assert await views.get(InsightView, "a") == insight("a", 2)
    assert await views.get(AgentView, "a") == agent("a", 2.0)


async def test_lists_by_rank_page_by_page(views: OutcomeViews) -> None:
    """The highest first, equal ones by key; a page goes on behind the last one of another."""
    order = [agent("d", 3.0), agent("a", 2.0), agent("b", 2.0), agent("c", 1.0)]
    await views.put([*reversed(order), insight("x", 9)])
    assert list(await views.page(AgentView)) == order
    first = await views.page(AgentView, limit=2)
    assert list(first) == order[:2]
    assert list(await views.page(AgentView, after=(2.0, "a"), limit=9)) == order[2:]
    assert list(await views.keys(AgentView)) == ["a", "b", "c", "d"]


async def test_lists_one_group(views: OutcomeViews) -> None:
    """Only what belongs to it."""
    await views.put([insight("a", 1)])
    assert [one.id for one in await views.page(InsightView, group="tuning")] == ["a"]
    assert list(await views.page(InsightView, group="failure_warning")) == []


async def test_removes(views: OutcomeViews) -> None:
    """What is removed is gone, what has the same key and another kind stays."""
    await views.put([insight("a", 1), agent("a", 1.0)])
    await views.remove(InsightView, ["a", "never there"])
    await views.remove(InsightView, [])
    assert await views.get(InsightView, "a") is None
    assert await views.get(AgentView, "a") is not None


async def test_a_proposal_changes_from_how_it_is_expected_to_stand(views: OutcomeViews) -> None:
    """Of two who change it at once one finds it changed."""
    assert not await views.change(proposal("applied"), "open")
    assert await views.change(proposal("open"), None)
    assert not await views.change(proposal("open"), None)
    assert await views.change(proposal("dismissed", "no"), "open")
    assert not await views.change(proposal("applied"), "open")
    found = await views.get(ProposalView, "rollout.deploy.timeout_s")
    assert found == proposal("dismissed", "no")
