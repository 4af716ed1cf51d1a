"""`workflow_rollback`, the tool of AI agents, against a running system."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.mcp.api import GatewayApi, RefusedError
from shared.mcp.rollbacks import RollBack, RolledBack, roll_back
from tests.integration.rollback.world import RollbackWorld, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


class Agent:
    """Who calls the tool about one execution."""

    def __init__(self, world: RollbackWorld, execution_id: str) -> None:
        self._api = GatewayApi(world.client, (world.world.home / "admin.key").read_text().strip())
        self._execution_id = execution_id

    async def __call__(self, action: str, **given: Any) -> RolledBack:
        asked = {"execution_id": self._execution_id, "action": action, **given}
        return await roll_back(self._api, RollBack.model_validate(asked), _silent)


async def _silent(_done: float, _of: float, _word: str) -> None:
    """Nobody follows."""


async def two_steps(world: RollbackWorld, name: str) -> str:
    """An execution of two steps that can be undone."""
    book = world.files / name
    template = await world.template(
        shell("a", f"echo a >> {book}", undo=f"sed -i '/^a$/d' {book}"),
        shell("b", f"echo b >> {book}", undo=f"sed -i '/^b$/d' {book}", depends_on=["a"]),
    )
    return str((await world.run(template))["id"])


async def test_from_the_preview_to_a_checkpoint(world: RollbackWorld) -> None:
    """What would be undone, of all and of one step; the checkpoints; back to one; how it stands."""
    execution = await two_steps(world, "tool")
    tool = Agent(world, execution)
    plan = (await tool("preview", strategy="immediate")).plan
    assert plan is not None
    assert [item.key for item in plan.items] == ["b", "a"]
    plan = (await tool("preview", steps=["a"])).plan
    assert plan is not None
    assert [item.key for item in plan.items] == ["a"]
    assert "b" in {one.key for one in plan.spared}
    points = (await tool("points")).points
    assert points is not None
    assert [one.step for one in points.items] == ["a", "b"]
    assert (world.files / "tool").read_text() == "a\nb\n"
    accepted = (await tool("request", to="b", reason="half of it")).accepted
    assert accepted is not None
    assert (accepted.strategy, accepted.to) == ("checkpoint", "b")
    await world.rolled_back(execution)
    found = (await tool("status")).rollback
    assert found is not None
    assert found.summary.status == "rolled_back"
    assert (world.files / "tool").read_text() == "a\n"


async def test_a_runbook_is_ticked_off(world: RollbackWorld) -> None:
    """An agent reads the runbook, says what became of each item, and the last one ends it."""
    execution = await two_steps(world, "ticked")
    tool = Agent(world, execution)
    await tool("request", strategy="manual")

    async def awaits() -> bool:
        found = await world.rollback(execution)
        return bool(found.get("summary", {}).get("status") == "awaiting_people")

    await world.until(awaits, lambda: "it awaits people")
    runbook = (await tool("runbook")).runbook
    assert runbook is not None
    assert "sed -i '/^b$/d'" in runbook.markdown
    with pytest.raises(RefusedError, match="it has items 1 to 2"):
        await tool("tick", item=3, verdict="done")
    ticked = (await tool("tick", item=1, verdict="done")).ticked
    assert ticked is not None
    assert ticked.request == "tick"
    await tool("tick", item=2, verdict="failed", comment="no such file")
    over = await world.rolled_back(execution)
    assert over["summary"]["status"] == "rollback_incomplete"
    assert over["summary"]["left"] == ["a: failed (no such file)"]


async def test_a_tick_says_what_it_ticks(world: RollbackWorld) -> None:
    """One without item or verdict is refused before anything is asked, and so is an item with
    another action."""
    tool = Agent(world, "ex_none")
    with pytest.raises(ValidationError, match="`tick` needs `item`"):
        await tool("tick", item=1)
    with pytest.raises(ValidationError, match="go with action `tick` only"):
        await tool("cancel", verdict="done")
