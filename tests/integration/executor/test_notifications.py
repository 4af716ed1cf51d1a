"""Notifications of templates on real servers: one broadcast each, with several coordinators."""

from __future__ import annotations

from typing import Any

import pytest

from shared.adapters.mongo.broadcasts import MongoBroadcasts
from shared.contracts import subjects
from shared.contracts.collective import Broadcast, Origin
from shared.workflow.messages import ExecutionRequested
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TOLD: dict[str, Any] = {
    "category": "maintenance",
    "policies": {
        "notifications": [
            {"on": ["completed"], "severity": "info", "message": "Done."},
            {"on": ["failed"], "severity": "critical", "message": "The rollout failed."},
            {"on": ["failed", "cancelled"], "severity": "warning"},
        ]
    },
}


async def _told(world: World, execution: str) -> list[Broadcast]:
    kept = await MongoBroadcasts(world.mongo).newest(limit=200)
    return [b for b in kept if b.origin is not None and b.origin.execution_id == execution]


async def _request(world: World, template: str) -> str:
    """Ask for an execution as the gateway does: with the template's category."""
    execution = world.ids.execution_id()
    wanted = ExecutionRequested(
        template_id=template, template_version="1.0.0", category="maintenance"
    )
    await world.journal.append(execution, wanted, f"req.{execution}")
    return execution


async def _wait_told(world: World, execution: str, count: int, agents: set[str]) -> list[Broadcast]:
    """The broadcasts about an execution, once so many are acknowledged by these agents."""

    async def so() -> bool:
        found = await _told(world, execution)
        return len(found) == count and all(b.acknowledged_by() >= agents for b in found)

    await world.until(so, f"{count} broadcasts about {execution} acknowledged by {agents}")
    return await _told(world, execution)


async def test_people_are_told_once(world: World) -> None:
    """Each notification that is meant for the end is one broadcast with category, severity, message
    and execution, acknowledged by every agent, although two coordinators follow and the events are
    delivered again."""
    for name in ("mind", "spare"):
        await world.executor(name, role="coordinator")
    await world.executor("hand", role="runner")
    fine = await _request(world, await world.template("fine", [noop("a")], **TOLD))
    bad = await _request(world, await world.template("bad", [shell("a", "exit 1")], **TOLD))
    [done] = await _wait_told(world, fine, 1, {"hand"})
    assert (done.message, done.severity, done.category) == ("Done.", "info", "maintenance")
    assert done.origin == Origin(execution_id=fine)
    failed = await _wait_told(world, bad, 2, {"hand"})
    assert {(b.severity.value, b.message) for b in failed} == {
        ("critical", "The rollout failed."),
        ("warning", "bad: failed"),
    }

    subject = subjects.event("notification.raised", bad)
    again = await world.bus.jetstream.get_last_msg(subjects.EVENTS, subject)
    for _ in range(20):  # as if acknowledgements had been lost: without a message id nothing drops
        await world.bus.jetstream.publish(subject, again.data or b"")
    last = await world.start("last", [noop("a")], **TOLD)
    await _wait_told(world, last, 1, {"hand"})
    assert {b.id for b in await _told(world, bad)} == {b.id for b in failed}


async def test_nothing_is_lost_with_a_coordinator(world: World) -> None:
    """Of many executions that end while one of two coordinators is killed with -9, each is told
    once."""
    template = await world.template("many", [noop("a")], **TOLD)
    executions = [await world.request(template) for _ in range(40)]
    await world.step_when(executions[10], "a", "completed")
    await world.executors["mind"].kill()
    for execution in executions:
        await world.ended(execution)
        [told] = await _wait_told(world, execution, 1, set())
        assert told.message == "Done."
