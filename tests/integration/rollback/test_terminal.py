"""`hv rollback` and `hv rollbacks` against a running system."""

from __future__ import annotations

import pytest

from tests.integration.hv_of_world import terminal
from tests.integration.rollback.world import RollbackWorld, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_from_the_preview_to_the_end(world: RollbackWorld) -> None:
    """What would be undone, the checkpoints, the rollback itself, and how it stands afterwards."""
    book = world.files / "terminal"
    template = await world.template(
        shell("a", f"echo a >> {book}", undo=f"sed -i '/^a$/d' {book}"),
        shell("b", f"echo b >> {book}", undo=f"sed -i '/^b$/d' {book}", depends_on=["a"]),
    )
    execution = (await world.run(template))["id"]
    async with terminal(world.world) as shown:
        ahead = await shown.hv("rollbacks", "ahead", template)
        assert "a run that has not begun" in ahead
        preview = await shown.hv("rollback", execution, "--preview")
        assert "1  b on agent-test: shell" in preview
        assert "--preview" not in await shown.hv("rollbacks", "points", execution)
        assert book.read_text() == "a\nb\n"
        text = await shown.hv("rollback", execution, "--to", "b", "--wait", "-r", "half of it")
        assert f"{execution}: rolled_back" in text
        assert book.read_text() == "a\n"
        done = await shown.json("rollback", execution, "--strategy", "graceful", "--wait")
        assert done["summary"]["number"] == 2
        assert [item["key"] for item in done["plan"]["items"]] == ["a"]
        assert book.read_text() == ""
        listed = await shown.json("rollbacks")
        assert execution in {one["execution_id"] for one in listed["items"]}
        assert "rollback 2 (graceful)" in await shown.hv("show", execution)
        assert "It was rolled back." in await shown.hv("why", execution)
        refused = await shown.hv("rollback", "ex_none", code=2)
        assert "ex_none" in refused


async def test_people_tick_off_and_give_up(world: RollbackWorld) -> None:
    """A runbook on the terminal, a tick, a cancellation; the exit code says that something is
    left."""
    template = await world.template(
        shell("a", "true", undo="rm -f /nowhere/a"),
        shell("b", "true", undo="rm -f /nowhere/b", depends_on=["a"]),
    )
    execution = (await world.run(template))["id"]
    async with terminal(world.world) as shown:
        await shown.hv("rollback", execution, "--strategy", "manual")

        async def awaits() -> bool:
            found = await world.rollback(execution)
            return bool(found.get("summary", {}).get("status") == "awaiting_people")

        await world.until(awaits, lambda: "it awaits people")
        runbook = await shown.hv("rollbacks", "runbook", execution)
        assert "rm -f /nowhere/b" in runbook
        await shown.hv("rollbacks", "tick", execution, "1", "done", "-c", "seen")
        await shown.hv("rollbacks", "cancel", execution, "-r", "not today")
        over = await world.rolled_back(execution)
        assert over["summary"]["status"] == "rollback_incomplete"
        text = await shown.hv("rollbacks", "show", execution)
        assert "item 1 done, says admin: seen" in text
        assert "remains: a: not done" in text
