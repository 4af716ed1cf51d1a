"""What every store of delegations does."""

import asyncio
from typing import Any

import pytest

from services.executor.desk import Collective
from shared.contracts.delegations import (
    Delegation,
    DelegationFilter,
    DelegationStatus,
    ExpireDelegation,
    Offer,
    ReofferDelegation,
    WatchDelegation,
)
from shared.ports.collective import ConflictError, NotFoundError

NOW = 1_700_000_000_000
S = DelegationStatus


def delegation(delegation_id: str = "dl_1", participant: str = "ann", **fields: Any) -> Delegation:
    offer = Offer(participant=participant, at_ms=NOW, answer_by_ms=NOW + 1_000)
    defaults = {
        "task": "look at it",
        "offers": (offer,),
        "created_at_ms": NOW,
        "deadline_ms": NOW + 10_000,
    }
    return Delegation(id=delegation_id, **{**defaults, **fields})


class TestDelegations:
    async def test_offers_once(self, collective: Collective) -> None:
        """An offer is kept as given, with any JSON; the same id again gives what is kept."""
        given = delegation(details={"a.b": {"$set": 2**70}}, execution_id="ex_1", step="s")
        assert await collective.delegations.offer(given) == given
        again = await collective.delegations.offer(delegation(task="another"))
        assert again == given
        assert await collective.delegations.get("dl_1") == given
        assert await collective.delegations.get("dl_2") is None

    async def test_accept_then_complete(self, collective: Collective) -> None:
        """The participant with the offer accepts and completes; the result is kept."""
        await collective.delegations.offer(delegation())
        accepted = await collective.delegations.accept("dl_1", "ann", NOW + 1)
        assert accepted.status is S.ACCEPTED
        assert accepted.offer.answer == "accepted"
        done = await collective.delegations.complete("dl_1", "ann", {"fixed": True}, NOW + 2)
        assert (done.status, done.result) == (S.COMPLETED, {"fixed": True})
        assert done.ended_at_ms == NOW + 2
        assert await collective.delegations.get("dl_1") == done

    async def test_repeating_is_harmless(self, collective: Collective) -> None:
        """The same answer by the same participant again changes nothing."""
        await collective.delegations.offer(delegation())
        first = await collective.delegations.accept("dl_1", "ann", NOW + 1)
        assert await collective.delegations.accept("dl_1", "ann", NOW + 2) == first
        done = await collective.delegations.complete("dl_1", "ann", {"n": 1}, NOW + 3)
        assert await collective.delegations.complete("dl_1", "ann", {"n": 1}, NOW + 4) == done
        assert await collective.delegations.accept("dl_1", "ann", NOW + 5) == done

    async def test_completes_once(self, collective: Collective) -> None:
        """A second, different result is refused."""
        await collective.delegations.offer(delegation())
        await collective.delegations.accept("dl_1", "ann", NOW + 1)
        await collective.delegations.complete("dl_1", "ann", {"n": 1}, NOW + 2)
        with pytest.raises(ConflictError, match="completed"):
            await collective.delegations.complete("dl_1", "ann", {"n": 2}, NOW + 3)

    async def test_only_who_has_it_answers(self, collective: Collective) -> None:
        """Another participant, an unaccepted completion and a late one are refused."""
        await collective.delegations.offer(delegation())
        with pytest.raises(ConflictError, match="ben does not have it"):
            await collective.delegations.accept("dl_1", "ben", NOW + 1)
        with pytest.raises(ConflictError, match="cannot complete"):
            await collective.delegations.complete("dl_1", "ann", {}, NOW + 1)
        with pytest.raises(ConflictError, match="deadline"):
            await collective.delegations.accept("dl_1", "ann", NOW + 10_000)
        with pytest.raises(NotFoundError):
            await collective.delegations.accept("dl_2", "ann", NOW + 1)

    async def test_reoffers_to_the_next(self, collective: Collective) -> None:
        """Declined or unanswered it goes to the next; every offer stays on record."""
        await collective.delegations.offer(delegation())
        await collective.delegations.decline("dl_1", "ann", "on holiday", NOW + 1)
        to_ben = ReofferDelegation(replaces="ann", participant="ben", answer_by_ms=NOW + 2_000)
        to_cleo = ReofferDelegation(replaces="ben", participant="cleo", answer_by_ms=NOW + 3_000)
        await collective.delegations.change("dl_1", to_ben, NOW + 2)
        after = await collective.delegations.change("dl_1", to_cleo, NOW + 3)
        assert [(o.participant, o.answer) for o in after.offers] == [
            ("ann", "declined"),
            ("ben", "unanswered"),
            ("cleo", None),
        ]
        assert after.offers[0].reason == "on holiday"
        with pytest.raises(ConflictError):
            await collective.delegations.accept("dl_1", "ben", NOW + 4)

    async def test_watching_moves_the_token(self, collective: Collective) -> None:
        """A later leg waits for another token; an earlier one never comes back."""
        before = await collective.delegations.offer(delegation())
        after = await collective.delegations.change("dl_1", WatchDelegation(leg=2), NOW)
        assert (before.token(), after.token()) == ("dl_1/0", "dl_1/2")
        again = await collective.delegations.change("dl_1", WatchDelegation(leg=1), NOW)
        assert again == after

    async def test_of_two_rivals_one_wins(self, collective: Collective) -> None:
        """An acceptance and a re-offer at once: one of them holds, the other is refused."""
        for number in range(10):
            one = f"dl_{number}"
            await collective.delegations.offer(delegation(one))
            reoffer = ReofferDelegation(replaces="ann", participant="ben", answer_by_ms=NOW + 2)
            results = await asyncio.gather(
                collective.delegations.accept(one, "ann", NOW + 1),
                collective.delegations.change(one, reoffer, NOW + 1),
                return_exceptions=True,
            )
            refused = [r for r in results if isinstance(r, BaseException)]
            assert [type(r) for r in refused] == [ConflictError]
            kept = await collective.delegations.get(one)
            assert kept in results

    async def test_counts_what_is_open(self, collective: Collective) -> None:
        """Offered and accepted ones count as load of who has them; ended ones do not."""
        for number in range(3):
            await collective.delegations.offer(delegation(f"dl_{number}"))
        await collective.delegations.offer(delegation("dl_b", "ben"))
        await collective.delegations.accept("dl_0", "ann", NOW + 1)
        await collective.delegations.decline("dl_1", "ann", "", NOW + 1)
        await collective.delegations.cancel("dl_b", "not needed", NOW + 1)
        assert await collective.delegations.open_counts() == {"ann": 2}

    async def test_finds_newest_first(self, collective: Collective) -> None:
        """Filters by participant, status, execution and overdue; the limit and pages hold."""
        for number in range(4):
            await collective.delegations.offer(
                delegation(f"dl_{number}", created_at_ms=NOW + number, execution_id=f"ex_{number}")
            )
        expire = ExpireDelegation(reason="too late")
        await collective.delegations.change("dl_3", expire, NOW + 10_000)

        async def found(**fields: Any) -> list[str]:
            return [d.id for d in await collective.delegations.find(DelegationFilter(**fields))]

        assert await found() == ["dl_3", "dl_2", "dl_1", "dl_0"]
        assert await found(limit=2, before_ms=NOW + 3) == ["dl_2", "dl_1"]
        assert await found(before_ms=NOW + 1, before_id="dl_1x") == ["dl_1", "dl_0"]
        assert await found(statuses=(S.EXPIRED,)) == ["dl_3"]
        assert await found(execution_id="ex_1", participant="ann") == ["dl_1"]
        assert await found(participant="ben") == []
        assert await found(overdue_at_ms=NOW + 10_000) == ["dl_2", "dl_1", "dl_0"]
        assert await found(overdue_at_ms=NOW + 9_999) == []
