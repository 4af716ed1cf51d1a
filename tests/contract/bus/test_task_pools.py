"""The view of all pools: which hold tasks, and those of them that no runner has."""

from shared.contracts import subjects
from tests.contract.bus.rig import ACK_WAIT_MS, BusRig, tasks_of
from tests.contract.bus.samples import task

ALPHA = subjects.pool_host("alpha")


async def test_pools_with_tasks_are_occupied(rig: BusRig) -> None:
    """A pool is listed while it holds a task, also one that a runner has."""
    feed = await rig.feed("alpha", ["gpu"], slots=2)
    assert await rig.pools().occupied() == []
    effects = rig.effects()
    effects.task(ALPHA, task("a"), again=False)
    await effects.commit()
    [delivery] = await tasks_of(feed, 1)
    assert await rig.pools().occupied() == [ALPHA]
    await delivery.acknowledge()
    await rig.settle()
    assert await rig.pools().occupied() == []


async def test_only_what_no_runner_has_is_given(rig: BusRig) -> None:
    """Tasks that wait are given at once; one of a silent runner when its time is over."""
    feed = await rig.feed("alpha", [], slots=1)
    effects = rig.effects()
    effects.task(ALPHA, task("a"), again=False)
    await effects.commit()
    await tasks_of(feed, 1)
    effects.task(ALPHA, task("b"), again=False)
    await effects.commit()
    [waiting] = await rig.pools().take(ALPHA, 10)
    assert (waiting.task, waiting.deliveries) == (task("b"), 1)
    assert list(await rig.pools().take(ALPHA, 10)) == []
    await waiting.acknowledge()
    await feed.close()
    await rig.pass_time(ACK_WAIT_MS + 100)
    [silent] = await rig.pools().take(ALPHA, 10)
    assert silent.task == task("a")
    assert silent.deliveries > 1


async def test_a_pool_that_nobody_ever_served_is_empty(rig: BusRig) -> None:
    """Asking for tasks of an empty pool gives none."""
    await rig.feed("alpha", [], slots=1)
    assert list(await rig.pools().take(subjects.pool_any(), 5)) == []
