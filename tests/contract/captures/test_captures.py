"""What every store of captures does."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from shared.adapters.nats.captures import PART_BYTES, NatsCaptures
from shared.adapters.nats.connection import connect
from shared.adapters.nats.streams import ensure_streams
from shared.contracts.captures import (
    BundleItem,
    Content,
    FileItem,
    Manifest,
    OutputItem,
    OwnPath,
    captured_output,
)
from shared.memory.captures import MemoryCaptures
from shared.ports.captures import (
    DAY_MS,
    BlobNotFoundError,
    CaptureKeeping,
    Captures,
    blob_name,
)
from tests.servers import unique_database

NOW_MS = 20_000 * DAY_MS


class Store(Captures, CaptureKeeping, Protocol):
    """Both sides of the port."""


@pytest.fixture(params=["memory", "nats"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryCaptures()
        return
    bus = await connect(request.getfixturevalue("nats_url"), "test")
    await ensure_streams(bus, replicas=1)
    yield NatsCaptures(bus)
    await bus.close()


@pytest.fixture
def execution() -> str:
    """The server is shared: each test has an execution of its own."""
    return f"ex_{unique_database()}"


def manifest(
    execution: str, step: str = "deploy", agent: str = "web-1", **more: object
) -> Manifest:
    return Manifest.model_validate(
        {
            "execution_id": execution,
            "step": step,
            "agent": agent,
            "host": "web-1.example",
            "template_id": "t",
            "command": "file",
            "attempt": 1,
            "at_ms": NOW_MS,
            "items": (),
            **more,
        }
    )


FILES = (
    FileItem(path=OwnPath.of(b"/srv/\xff\n"), was="absent"),
    FileItem(path=OwnPath.of(b"/srv/a"), was="file", mode="0000", bytes=3, sha256="a" * 64),
    OutputItem(command="shell", output={"exit_code": 0, "json": {"weight": 1.5, "none": None}}),
    BundleItem(bundle="motd", version=None, agents=("a", "b")),
)


class TestManifests:
    async def test_the_first_one_counts(self, store: Store, execution: str) -> None:
        """A second manifest of the same execution, step and agent changes nothing and gives the
        first."""
        first = manifest(execution, items=FILES)
        assert await store.create(first) == first
        assert await store.create(manifest(execution, attempt=2)) == first
        assert await store.get(execution, "deploy", "web-1") == first

    async def test_one_of_many_at_once(self, store: Store, execution: str) -> None:
        """Of manifests that are stated at the same time one counts, for all who stated one."""
        tried = [manifest(execution, attempt=n) for n in range(1, 9)]
        held = await asyncio.gather(*(store.create(one) for one in tried))
        assert len({one.attempt for one in held}) == 1
        assert await store.get(execution, "deploy", "web-1") == held[0]

    async def test_is_found_by_step(self, store: Store, execution: str) -> None:
        """Each agent and each instance of a step has its own; a step's come in the order of
        attempts."""
        second = await store.create(manifest(execution, "deploy[3]", "web-2", attempt=2))
        first = await store.create(manifest(execution, "deploy[3]", "web-1"))
        await store.create(manifest(execution, "deploy[30]"))
        await store.create(manifest(execution, "deploy"))
        assert list(await store.of_step(execution, "deploy[3]")) == [first, second]
        assert await store.get(execution, "deploy[3]", "web-3") is None
        assert len(await store.of_execution(execution)) == 4

    async def test_many(self, store: Store, execution: str) -> None:
        """However many an execution has, all are found."""
        count = 700
        made = [manifest(execution, f"s[{n}]") for n in range(count)]
        await asyncio.gather(*(store.create(one) for one in made))
        found = await store.of_execution(execution)
        assert {one.step for one in found} == {one.step for one in made}

    async def test_what_is_settled(self, store: Store, execution: str) -> None:
        """What was stated before the mark is in it, the mark itself is nowhere; it may be asked for
        again, and goes with its execution."""
        assert await store.settled(execution, "at-1") == []
        made = await store.create(manifest(execution, "a"))
        for mark in ("at-1", "at-1", "at-2"):
            assert await store.settled(execution, mark) == [made]
        assert await store.of_execution(execution) == [made]
        assert await store.forget(execution) == 1
        assert execution not in await store.executions()

    async def test_goes_with_its_execution(self, store: Store, execution: str) -> None:
        """What is forgotten is gone, and only that; forgetting again finds nothing."""
        other = f"{execution}x"
        await store.create(manifest(execution, "a"))
        await store.create(manifest(execution, "b"))
        await store.create(manifest(other))
        assert {execution, other} <= set(await store.executions())
        assert await store.forget(execution) == 2
        assert await store.forget(execution) == 0
        assert await store.of_execution(execution) == []
        assert len(await store.of_execution(other)) == 1

    def test_captured_is_of_the_first_attempt(self, execution: str) -> None:
        """`captured` is what the capture before the first attempt returned, whoever ran it."""
        early = manifest(execution, agent="b", items=[OutputItem(command="x", output={"n": 1})])
        late = manifest(
            execution, attempt=2, items=[OutputItem(command="x", output={"n": 2})], at_ms=1
        )
        none = manifest(execution, agent="c", at_ms=0)
        assert captured_output([late, none, early]) == {"n": 1}
        assert captured_output([none]) == {}


class TestBlobs:
    @pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 12 * PART_BYTES + 7])
    async def test_come_back(self, store: Store, size: int) -> None:
        """What was put comes back byte for byte, also when it is put again, by several at once."""
        data = os.urandom(size)
        name = blob_name(data, NOW_MS)
        await asyncio.gather(*(store.put_blob(name, data) for _ in range(3)))
        await store.put_blob(name, data)
        assert await store.get_blob(name) == data

    async def test_are_missed(self, store: Store) -> None:
        """A blob that was never put is said to be missing."""
        with pytest.raises(BlobNotFoundError, match="is not kept"):
            await store.get_blob(blob_name(os.urandom(8), NOW_MS))

    async def test_equal_ones_are_kept_once(self, store: Store) -> None:
        """The same content put twice takes room once."""
        data = os.urandom(100_000)
        name = blob_name(data, NOW_MS)
        await store.put_blob(name, data)
        before = (await store.usage()).blob_bytes
        await store.put_blob(name, data)
        assert (await store.usage()).blob_bytes == before

    async def test_are_swept(self, store: Store, execution: str) -> None:
        """The sweep takes old blobs that no manifest names, and leaves those that are named, and
        those that somebody may still name."""
        past_ms = NOW_MS - 3 * DAY_MS
        old, kept, young = (os.urandom(PART_BYTES + 9) for _ in range(3))
        names = [blob_name(old, past_ms), blob_name(kept, past_ms), blob_name(young, NOW_MS)]
        for name, data in zip(names, (old, kept, young), strict=True):
            await store.put_blob(name, data)
        item = FileItem(path=OwnPath.of(b"/a"), was="file", content=Content(blob=names[1]))
        await store.create(manifest(execution, items=[item]))
        swept = await store.sweep(NOW_MS)
        assert swept.blobs >= 1
        assert swept.bytes >= PART_BYTES
        with pytest.raises(BlobNotFoundError):
            await store.get_blob(names[0])
        assert await store.get_blob(names[1]) == kept
        assert await store.get_blob(names[2]) == young
        await store.forget(execution)
        await store.sweep(NOW_MS)
        with pytest.raises(BlobNotFoundError):
            await store.get_blob(names[1])

    async def test_usage_counts(self, store: Store, execution: str) -> None:
        """How much is kept, and how much may be, can be told."""
        before = await store.usage()
        await store.create(manifest(execution))
        data = os.urandom(5_000)
        await store.put_blob(blob_name(data, NOW_MS), data)
        after = await store.usage()
        assert after.manifests == before.manifests + 1
        assert after.manifest_bytes > before.manifest_bytes
        assert after.blob_bytes >= before.blob_bytes + 5_000
        assert after.manifest_bytes < after.manifest_limit_bytes
        assert after.blob_bytes < after.blob_limit_bytes
