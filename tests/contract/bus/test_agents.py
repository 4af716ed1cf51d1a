"""The directory of agents: who announced itself lately."""

from tests.contract.bus.rig import TTL_MS, BusRig, until
from tests.contract.bus.samples import agent


class TestAgents:
    async def test_nobody_lives_at_first(self, rig: BusRig) -> None:
        """An empty directory is no error."""
        assert list(await rig.agents().live()) == []

    async def test_who_announced_itself_lives(self, rig: BusRig) -> None:
        """All live agents, by name, each with what it said last."""
        directory, now = rig.agents(), rig.now_ms()
        await directory.announce(agent("beta", now))
        await directory.announce(agent("alpha", now))
        busy = agent("beta", now).model_copy(update={"running": 3, "labels": {"zone.a": "$1"}})
        await directory.announce(busy)
        assert list(await rig.agents().live()) == [agent("alpha", now), busy]

    async def test_who_withdraws_is_gone_at_once(self, rig: BusRig) -> None:
        """Withdrawing one leaves the others; withdrawing twice is no error."""
        directory, now = rig.agents(), rig.now_ms()
        for name in ("alpha", "alpha2"):
            await directory.announce(agent(name, now))
        await directory.withdraw("alpha")
        await directory.withdraw("alpha")
        assert [record.name for record in await directory.live()] == ["alpha2"]

    async def test_who_falls_silent_is_gone_after_the_time_to_live(self, rig: BusRig) -> None:
        """Announcing again keeps an agent alive; silence does not."""
        directory, now = rig.agents(), rig.now_ms()
        await directory.announce(agent("silent", now))
        for _ in range(3):
            await directory.announce(agent("alive", now))
            await rig.pass_time(TTL_MS // 2)
        await directory.announce(agent("alive", now))

        async def only_one() -> bool:
            await directory.announce(agent("alive", now))
            return [record.name for record in await directory.live()] == ["alive"]

        await until(only_one)

    async def test_a_hundred_agents_are_all_found(self, rig: BusRig) -> None:
        """One reading gives them all."""
        directory, now = rig.agents(), rig.now_ms()
        for number in range(100):
            await directory.announce(agent(f"agent{number:03d}", now))
        assert len(await directory.live()) == 100
