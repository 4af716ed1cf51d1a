"""What was kept before steps, on three servers of which the leader dies or freezes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ops.stack.cluster import EmbeddedCluster
from services.executor.captures.kept import Kept
from shared.adapters.nats.captures import PART_BYTES, NatsCaptures
from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.contracts.captures import Manifest
from shared.ports.captures import CapturesUnavailableError, blob_name
from tests.contract.captures.test_captures import NOW_MS, manifest
from tests.faults.test_cluster_bus import PATIENCE_S, away
from tests.takers import KEY

pytestmark = [pytest.mark.kill, pytest.mark.long, pytest.mark.timeout(240)]

STEPS = 40
T = TypeVar("T")


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Do it again while the servers, one of which has just come back, do not answer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(CapturesUnavailableError):
                return await act()
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_what_was_stated_is_there(cluster: EmbeddedCluster, bus: Bus, way: str) -> None:
    """Manifests are stated while the leader of their stream goes: each is there in the end as its
    agent was told that it counts, and a second one does not take its place."""
    store = NatsCaptures(bus)
    kept = Kept(store, KEY)
    data = os.urandom(2 * PART_BYTES + 1)
    name = blob_name(data, NOW_MS)

    async def state(number: int) -> Manifest:
        await asyncio.sleep(number * 0.05)
        return await kept.state(manifest("ex_1", f"s[{number}]"))

    leader = cluster.stream_leader(subjects.CAPTURES)
    assert leader is not None
    async with asyncio.timeout(PATIENCE_S):
        stating = [asyncio.create_task(state(number)) for number in range(STEPS)]
        await asyncio.sleep(0.5)
        with away(leader, way):
            told = await asyncio.gather(*stating)
        await patiently(lambda: store.put_blob(name, data))
    found = {one.step: one for one in await patiently(lambda: store.of_execution("ex_1"))}
    assert found == {one.step: one for one in told}
    for number in range(STEPS):
        held = await kept.state(manifest("ex_1", f"s[{number}]", attempt=2))
        assert held == found[held.step]
    assert await patiently(lambda: store.get_blob(name)) == data
