"""Rollbacks through the gateway, on real servers, with a real agent and real files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.rollback.world import RollbackWorld, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def _three(world: RollbackWorld, name: str) -> list[dict[str, Any]]:
    """Three steps, one after the other, that each append a line to a file."""
    book = world.files / name
    return [
        shell(
            step,
            f"echo {step} >> {book}",
            undo=f"tail -n 1 {book} | grep -qx {step} && sed -i '$ d' {book}",
            depends_on=[before] if before else [],
        )
        for before, step in (("", "a"), ("a", "b"), ("b", "c"))
    ]


async def test_a_completed_execution_is_rolled_back(world: RollbackWorld) -> None:
    """What three steps did is undone in the reverse order, by an execution of its own."""
    book = world.files / "three"
    template = await world.template(*_three(world, "three"))
    execution = await world.run(template)
    assert execution["status"] == "completed"
    assert book.read_text() == "a\nb\nc\n"
    accepted = await world.roll_back(execution["id"], strategy="graceful", reason="a test")
    assert accepted["rollback_id"] == f"rb_{execution['id']}"
    over = await world.rolled_back(execution["id"])
    assert over["summary"]["status"] == "rolled_back", over
    assert book.read_text() == ""
    assert [item["key"] for item in over["plan"]["items"]] == ["c", "b", "a"]
    view = await world.status(execution["id"], "rolled_back")
    assert view["ended"]
    run = await world.execution(over["summary"]["run"])
    assert (run["status"], run["category"]) == ("completed", "rollback")
    assert run["labels"] == {"rollback_of": execution["id"]}
