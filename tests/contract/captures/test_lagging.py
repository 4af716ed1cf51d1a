"""A replica that lags behind hides nothing: what there is says the stream's leader."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from shared.adapters.nats.batches import BatchError, last_messages
from shared.adapters.nats.captures import PART_BYTES, NatsCaptures
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.ports.captures import CapturesUnavailableError, blob_name
from tests.contract.captures.test_captures import NOW_MS, manifest
from tests.servers import unique_database

_ASKED = "$JS.API.DIRECT.GET."


class _Behind:
    """The client of a bus whose direct reads are answered by somebody who has nothing yet."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def publish(self, subject: str, data: bytes, reply: str) -> None:
        if subject.startswith(_ASKED):
            subject = f"{_ASKED}KV_{subjects.LEASES_BUCKET}"
        await self._client.publish(subject, data, reply=reply)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    made = await connect(nats_url, "test")
    await ensure_streams(made, replicas=1)
    yield made
    await made.close()


@pytest.fixture
def behind(bus: Bus) -> Bus:
    made = Bus(bus.client)
    made.client = cast("Any", _Behind(bus.client))
    return made


async def test_manifests_are_not_missed(bus: Bus, behind: Bus) -> None:
    """Whoever plans a rollback takes a missing manifest for a step that never began."""
    execution = f"ex_{unique_database()}"
    made = [await NatsCaptures(bus).create(manifest(execution, f"s[{n}]")) for n in range(3)]
    assert len(await NatsCaptures(behind).of_execution(execution)) == len(made)
    assert await NatsCaptures(behind).of_step(execution, "s[1]") == [made[1]]


async def test_a_list_that_lacks_the_mark_is_not_taken(bus: Bus) -> None:
    """A server that is behind answers with what it knew: that is read again until it has the mark,
    and never taken for all there is."""
    execution = f"ex_{unique_database()}"
    made = await NatsCaptures(bus).create(manifest(execution, "s"))
    answers = [0]

    async def behind_at_first(bus: Bus, stream: str, subject: str) -> Mapping[str, bytes]:
        answers[0] += 1
        return {} if answers[0] < 3 else await last_messages(bus, stream, subject)

    captures = NatsCaptures(bus, behind_at_first, fence_pause_s=0.001)
    assert await captures.settled(execution, "at-1") == [made]
    assert answers == [3]

    async def behind(_bus: Bus, _stream: str, _subject: str) -> Mapping[str, bytes]:
        return {}

    with pytest.raises(CapturesUnavailableError):
        await NatsCaptures(bus, behind, fence_pause_s=0.001).settled(execution, "at-1")


async def test_contents_are_whole(bus: Bus, behind: Bus) -> None:
    """A content of several parts is put together from what the leader has."""
    data = os.urandom(3 * PART_BYTES + 1)
    name = blob_name(data, NOW_MS)
    await NatsCaptures(bus).put_blob(name, data)
    assert await NatsCaptures(behind).get_blob(name) == data


async def test_a_stream_that_is_not_there(bus: Bus) -> None:
    """A refusal is told as one, and to users of the port as an outage."""
    with pytest.raises((BatchError, TimeoutError)):
        await last_messages(bus, "NO_SUCH_STREAM", ">")
    await bus.jetstream.delete_stream(subjects.CAPTURES)
    try:
        with pytest.raises(CapturesUnavailableError):
            await NatsCaptures(bus).of_execution("ex_1")
    finally:
        await ensure_streams(bus, replicas=1)
