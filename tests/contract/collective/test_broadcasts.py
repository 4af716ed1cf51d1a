"""What every store of broadcasts does."""

from typing import Any

import pytest

from services.executor.desk import Collective
from shared.contracts.collective import Acknowledgement, Broadcast, Severity
from shared.ports.collective import NotFoundError

NOW = 4_000_000_000_000


def broadcast(broadcast_id: str = "bc_1", **fields: Any) -> Broadcast:
    defaults = {"message": "hello", "sent_at_ms": NOW, "expires_at_ms": NOW + 1_000}
    return Broadcast(id=broadcast_id, **{**defaults, **fields})


def ack(agent: str, at_ms: int = NOW) -> Acknowledgement:
    return Acknowledgement(agent=agent, at_ms=at_ms)


class TestBroadcasts:
    async def test_sends_once(self, collective: Collective) -> None:
        """A broadcast is kept as given; the same id again gives what is kept."""
        given = broadcast(severity=Severity.CRITICAL, expected=("a", "b"))
        assert await collective.broadcasts.send(given) == given
        assert await collective.broadcasts.send(broadcast(message="other")) == given
        assert await collective.broadcasts.get("bc_1") == given

    async def test_collects_acknowledgements(self, collective: Collective) -> None:
        """Each agent counts once, with its first time."""
        await collective.broadcasts.send(broadcast())
        await collective.broadcasts.acknowledge("bc_1", [ack("b"), ack("a")])
        kept = await collective.broadcasts.acknowledge("bc_1", [ack("a", NOW + 9), ack("c")])
        assert kept.acknowledged_by() == {"a", "b", "c"}
        assert kept.acknowledgements == (ack("a"), ack("b"), ack("c"))
        assert await collective.broadcasts.acknowledge("bc_1", []) == kept
        with pytest.raises(NotFoundError):
            await collective.broadcasts.acknowledge("bc_2", [ack("a")])

    async def test_tells_what_an_agent_missed(self, collective: Collective) -> None:
        """Unexpired broadcasts without the agent's acknowledgement, oldest first."""
        await collective.broadcasts.send(broadcast("bc_2", sent_at_ms=NOW + 2))
        await collective.broadcasts.send(broadcast("bc_1", sent_at_ms=NOW + 1))
        await collective.broadcasts.send(broadcast("bc_0", expires_at_ms=NOW))
        await collective.broadcasts.acknowledge("bc_1", [ack("a")])
        assert [b.id for b in await collective.broadcasts.missed("a", NOW)] == ["bc_2"]
        assert [b.id for b in await collective.broadcasts.missed("b", NOW)] == ["bc_1", "bc_2"]
        assert [b.id for b in await collective.broadcasts.missed("b", NOW, limit=1)] == ["bc_1"]

    async def test_lists_newest_first(self, collective: Collective) -> None:
        """The newest come first, page by page."""
        for number in range(3):
            await collective.broadcasts.send(broadcast(f"bc_{number}", sent_at_ms=NOW + number))
        newest = await collective.broadcasts.newest(limit=2)
        assert [b.id for b in newest] == ["bc_2", "bc_1"]
        rest = await collective.broadcasts.newest(before_ms=NOW + 1)
        assert [b.id for b in rest] == ["bc_0"]
        await collective.broadcasts.send(broadcast("bc_x", sent_at_ms=NOW + 1))
        same = await collective.broadcasts.newest(before_ms=NOW + 1, before_id="bc_x")
        assert [b.id for b in same] == ["bc_1", "bc_0"]
