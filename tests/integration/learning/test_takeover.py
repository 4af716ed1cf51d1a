"""Two learning services: one works, the other stands by until the first has gone."""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.learning.world import WORKS, LearningWorld, commands, said

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(200)]


async def test_another_takes_over_from_one_that_is_killed(world: LearningWorld) -> None:
    """It goes on where the record ends: nothing is learned twice, and nothing is lost."""
    first = world.child
    assert first is not None
    second, log = await world.another()
    await said(second, log, "learning service runs")
    await world.add(*commands(40, "ann", "bob"))
    assert WORKS not in log.read_text(encoding="utf-8"), "two work at once"
    await world.kill()
    await world.add(*commands(25, "ann"))
    world.child = second
    await said(second, log, WORKS)
    await world.add(*commands(15, "bob"))
    assert await world.saved() == await world.rebuilt()
    assert await world.store.count() == 80


@pytest.mark.long
async def test_one_that_stood_still_stands_by(world: LearningWorld) -> None:
    """Whose lease ran out while it stood still finds another at work, writes nothing more, and
    takes over when that one is killed."""
    first = world.child
    assert first is not None
    second, log = await world.another()
    await world.add(*commands(40, "ann", "bob"))
    await world.saved()
    before = await world.store.count()
    os.kill(first.pid, signal.SIGSTOP)
    await said(second, log, WORKS)
    await world.add(*commands(20, "ann"))
    os.kill(first.pid, signal.SIGCONT)
    own_log = world.home / f"learning-{world.starts - 1}.log"
    await said(first, own_log, "stands by")
    await world.add(*commands(20, "bob"))
    assert await world.saved() == await world.rebuilt()
    second.kill()
    await world.add(*commands(20, "ann"))
    assert await world.saved() == await world.rebuilt()
    assert await world.store.count() == before + 60
