"""What every register of participants does."""

from services.executor.desk import Collective
from shared.contracts.collective import Participant

ANN = Participant(name="ann", kind="human", capabilities=("dba",), labels={"team.name": "core"})
BOT = Participant(name="bot", kind="ai", last_seen_ms=100)


class TestParticipants:
    async def test_keeps_and_replaces(self, collective: Collective) -> None:
        """Saving registers, saving again replaces; all come by name."""
        await collective.participants.save(BOT)
        await collective.participants.save(ANN)
        away = ANN.model_copy(update={"available": False})
        await collective.participants.save(away)
        assert list(await collective.participants.all()) == [away, BOT]
        assert await collective.participants.get("ann") == away
        assert await collective.participants.get("cleo") is None

    async def test_seen_never_goes_back(self, collective: Collective) -> None:
        """The newest time holds; an unknown name is not registered by being seen."""
        await collective.participants.save(BOT)
        await collective.participants.seen("bot", 200)
        await collective.participants.seen("bot", 150)
        await collective.participants.seen("cleo", 150)
        kept = await collective.participants.all()
        assert [(p.name, p.last_seen_ms) for p in kept] == [("bot", 200)]

    async def test_removes(self, collective: Collective) -> None:
        """What was removed is gone; removing it again says that it was not there."""
        await collective.participants.save(ANN)
        assert await collective.participants.remove("ann")
        assert not await collective.participants.remove("ann")
        assert list(await collective.participants.all()) == []
