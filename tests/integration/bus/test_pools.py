"""The queues of agents that are gone do not pile up on the server."""

from __future__ import annotations

import asyncio

from shared.adapters.nats.tasks import NatsTaskFeed
from shared.contracts import subjects
from tests.integration.bus.conftest import Shore

GONE_S = 1.0


async def _queues(shore: Shore) -> set[str]:
    return {info.name for info in await shore.bus.jetstream.consumers_info(subjects.TASKS)}


async def test_the_queue_of_a_gone_agent_is_forgotten(shore: Shore) -> None:
    """An agent's own queue stays while it asks for tasks, is forgotten some time after it left,
    and is there again when it comes back; shared queues stay."""
    own, shared = (subjects.pool_consumer(p) for p in (subjects.pool_host("a"), "any._"))
    feed = NatsTaskFeed(shore.bus, "a", ["gpu"], slots=1, gone_s=GONE_S)
    await feed.start()
    await asyncio.sleep(2 * GONE_S)
    assert {own, shared} <= await _queues(shore)
    await feed.close()
    async with asyncio.timeout(20):
        while own in await _queues(shore):  # noqa: ASYNC110 - the server forgets it
            await asyncio.sleep(0.1)
    assert shared in await _queues(shore)
    again = NatsTaskFeed(shore.bus, "a", ["gpu"], slots=1, gone_s=GONE_S)
    await again.start()
    assert own in await _queues(shore)
    await again.close()
