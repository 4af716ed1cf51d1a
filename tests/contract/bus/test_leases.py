"""Leases: one holder at a time, for as long as it says so often enough."""

import asyncio

from tests.contract.bus.rig import TTL_MS, BusRig, until


class TestLeases:
    async def test_one_holds_it(self, rig: BusRig) -> None:
        """A lease that is held cannot be taken or renewed by another."""
        one, two = rig.leases(), rig.leases()
        assert await one.acquire("partition.1", "one")
        assert not await two.acquire("partition.1", "two")
        assert not await two.renew("partition.1", "two")
        assert await two.acquire("partition.2", "two")
        assert await one.holders() == {"partition.1": "one", "partition.2": "two"}

    async def test_of_many_at_once_one_gets_it(self, rig: BusRig) -> None:
        """Racing for a free lease has one winner, and `holders` names it."""
        owners = [f"owner{n}" for n in range(8)]
        won = await asyncio.gather(*(rig.leases().acquire("p", owner) for owner in owners))
        assert sum(won) == 1
        assert await rig.leases().holders() == {"p": owners[won.index(True)]}

    async def test_the_owner_may_take_it_again(self, rig: BusRig) -> None:
        """A process that comes back under its name has its lease at once."""
        assert await rig.leases().acquire("p", "one")
        back = rig.leases()
        assert await back.acquire("p", "one")
        assert await back.renew("p", "one")

    async def test_renewing_keeps_it(self, rig: BusRig) -> None:
        """Renewed often enough, it outlives its time to live many times."""
        leases = rig.leases()
        await leases.acquire("p", "one")
        for _ in range(6):
            await rig.pass_time(TTL_MS // 3)
            assert await leases.renew("p", "one")
        assert await leases.holders() == {"p": "one"}

    async def test_it_ends_after_its_time_to_live(self, rig: BusRig) -> None:
        """Not renewed, it is free, another takes it, and the first learns that it lost it."""
        one, two = rig.leases(), rig.leases()
        await one.acquire("p", "one")
        await rig.pass_time(TTL_MS)

        async def is_free() -> bool:
            return not await two.holders()

        await until(is_free)
        assert await two.acquire("p", "two")
        assert not await one.renew("p", "one")
        assert not await one.acquire("p", "one")
        assert await two.holders() == {"p": "two"}

    async def test_a_lease_that_ended_is_not_renewed(self, rig: BusRig) -> None:
        """Coming late, the holder must take it anew, even when nobody has."""
        leases = rig.leases()
        await leases.acquire("p", "one")
        await rig.pass_time(TTL_MS)

        async def is_free() -> bool:
            return not await leases.holders()

        await until(is_free)
        assert not await leases.renew("p", "one")
        assert await leases.acquire("p", "one")

    async def test_given_up_it_is_free_at_once(self, rig: BusRig) -> None:
        """Another can take it without waiting; the first can renew it no more."""
        one, two = rig.leases(), rig.leases()
        await one.acquire("p", "one")
        await one.release("p")
        assert await one.holders() == {}
        assert await two.acquire("p", "two")
        assert not await one.renew("p", "one")

    async def test_only_the_holder_gives_it_up(self, rig: BusRig) -> None:
        """Releasing what is another's, or nobody's, changes nothing."""
        one, two = rig.leases(), rig.leases()
        await one.acquire("p", "one")
        await two.release("p")
        await two.release("none")
        assert await two.holders() == {"p": "one"}
