"""What every store of bundles does."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.nats.bundles import NatsBundles
from shared.adapters.nats.connection import connect
from shared.contracts.sync import VERSIONS_KEPT
from shared.memory.bundles import MemoryBundles
from shared.ports.bundles import Bundles, NewFile
from shared.ports.collective import InvalidRequestError, NotFoundError
from tests.servers import unique_database

A = NewFile("etc/app.conf", b"a = 1\n")
B = NewFile("etc/app.conf", b"a = 2\n")
BIG = NewFile("big.bin", bytes(range(256)) * 2_000, mode="0600")
EMPTY = NewFile("empty", b"")


@pytest.fixture(params=["memory", "nats"])
async def bundles(request: pytest.FixtureRequest) -> AsyncIterator[Bundles]:
    if request.param == "memory":
        yield MemoryBundles()
        return
    bus = await connect(request.getfixturevalue("nats_url"), "test")
    stored = NatsBundles(bus)
    await stored.ensure()
    await stored.ensure()
    yield stored
    await bus.close()


@pytest.fixture
def name() -> str:
    """The server is shared: each test has a bundle of its own."""
    return unique_database()


class TestBundles:
    async def test_pushes_and_reads(self, bundles: Bundles, name: str) -> None:
        """A pushed version has every file with size, mode and content."""
        pushed = await bundles.push(name, [A, BIG, EMPTY], made_by="x", at_ms=5)
        assert (pushed.version, pushed.previous, pushed.created_at_ms) == (1, None, 5)
        assert [(f.path, f.bytes, f.mode) for f in pushed.files] == [
            ("etc/app.conf", 6, "0644"),
            ("big.bin", 512_000, "0600"),
            ("empty", 0, "0644"),
        ]
        contents = [await bundles.read(name, file) for file in pushed.files]
        assert contents == [A.data, BIG.data, b""]
        assert name in await bundles.names()

    async def test_same_files_make_no_version(self, bundles: Bundles, name: str) -> None:
        """Pushing what is current gives the current version."""
        first = await bundles.push(name, [A], made_by="x", at_ms=1)
        assert await bundles.push(name, [A], made_by="y", at_ms=2) == first

    async def test_restores_what_was_before(self, bundles: Bundles, name: str) -> None:
        """Restoring undoes the last push, once for each who asks; a number restores that one."""
        await bundles.push(name, [A], made_by="p1", at_ms=1)
        await bundles.push(name, [B], made_by="p2", at_ms=2)
        await bundles.push(name, [A, EMPTY], made_by="p3", at_ms=3)
        assert (await bundles.restore(name, made_by="r1")).version == 2
        assert (await bundles.restore(name, made_by="r1")).version == 2
        assert (await bundles.restore(name, made_by="r2", version=3)).version == 3
        fourth = await bundles.push(name, [B, EMPTY], made_by="p4", at_ms=4)
        assert (fourth.version, fourth.previous) == (4, 3)
        kept = await bundles.get(name)
        assert kept is not None
        assert [v.version for v in kept.versions] == [1, 2, 3, 4]

    async def test_is_withdrawn(self, bundles: Bundles, name: str) -> None:
        """A bundle without files is a version like any other: made once, and left by restoring."""
        with pytest.raises(NotFoundError, match="no bundle"):
            await bundles.withdraw(name, made_by="w", at_ms=1)
        await bundles.push(name, [A], made_by="p1", at_ms=1)
        gone = await bundles.withdraw(name, made_by="w", at_ms=2)
        assert (gone.version, gone.files, gone.previous) == (2, (), 1)
        assert await bundles.withdraw(name, made_by="x", at_ms=3) == gone
        back = await bundles.restore(name, made_by="r")
        assert back.version == 1
        assert await bundles.read(name, back.files[0]) == A.data

    async def test_says_what_cannot_be_restored(self, bundles: Bundles, name: str) -> None:
        """No bundle, no earlier version, no such version: each is said."""
        with pytest.raises(NotFoundError, match="no bundle"):
            await bundles.restore(name, made_by="r")
        await bundles.push(name, [A], made_by="p", at_ms=1)
        with pytest.raises(NotFoundError, match="no version before 1"):
            await bundles.restore(name, made_by="r")
        with pytest.raises(NotFoundError, match="version 7 is not kept"):
            await bundles.restore(name, made_by="r", version=7)

    async def test_keeps_the_newest_versions(self, bundles: Bundles, name: str) -> None:
        """Old versions go, and with them content that no other version has."""
        first = await bundles.push(name, [A], made_by="p", at_ms=0)
        for number in range(VERSIONS_KEPT):
            file = NewFile("n", str(number).encode())
            await bundles.push(name, [file], made_by="p", at_ms=number)
        kept = await bundles.get(name)
        assert kept is not None
        assert len(kept.versions) == VERSIONS_KEPT
        with pytest.raises(NotFoundError, match="not kept"):
            await bundles.read(name, first.files[0])

    @pytest.mark.parametrize(
        ("files", "problem"),
        [
            ([], "1 to"),
            ([A, B], "twice"),
            ([NewFile("../up", b"")], "path"),
            ([NewFile("/etc/passwd", b"")], "path"),
            ([NewFile("a/.hidden", b"")], "path"),
            ([NewFile("a", b""), NewFile("a/b", b"")], "directory"),
            ([NewFile("a", b"", mode="777777")], "mode"),
            ([NewFile("a", bytes(5_000_000))], "bytes"),
        ],
    )
    async def test_refuses_bad_files(
        self, bundles: Bundles, name: str, files: list[NewFile], problem: str
    ) -> None:
        """Nothing, doubles, paths outside and too much are refused, and nothing is kept."""
        with pytest.raises(InvalidRequestError, match=problem):
            await bundles.push(name, files, made_by="p", at_ms=1)
        assert await bundles.get(name) is None
