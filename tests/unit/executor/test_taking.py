"""What is kept before a step, and what keeps a step from beginning."""

import asyncio
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from services.executor.captures.contents import ContentSealer
from services.executor.captures.found import Limits
from services.executor.commands.base import Cancelled, Failed
from shared.contracts.captures import INLINE_LIMIT, FileItem, Manifest, OutputItem
from shared.memory.captures import MemoryCaptures
from shared.ports.captures import CapturesFullError, CapturesUnavailableError
from shared.runtime.sealing import SealError
from shared.workflow.captured import Captured
from tests.takers import KEY
from tests.unit.executor.captures_world import CapturesWorld

MARK = b"clear text that must not be stored "


@pytest.fixture
def world(tmp_path: Path) -> CapturesWorld:
    return CapturesWorld(tmp_path)


def _file(world: CapturesWorld, name: str = "f", content: bytes = b"was") -> Path:
    path = world.root / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("noop", {}),
        ("shell", {"script": "true"}),
        ("file", {"operation": "read", "path": "{root}/f"}),
        ("file", {"operation": "stat", "path": "{root}/f"}),
        ("http", {"url": "http://x.example", "method": "POST"}),
        ("keep-files", {"paths": ["{root}/f"]}),
        ("hv-sync", {"operation": "status"}),
    ],
)
async def test_where_nothing_is_to_be_kept(
    world: CapturesWorld, command: str, parameters: dict[str, Any]
) -> None:
    """What changes nothing, or cannot tell what it changes, keeps nothing and states nothing."""
    _file(world)
    given = {
        k: v.replace("{root}", str(world.root)) if isinstance(v, str) else v
        for k, v in parameters.items()
    }
    if command == "keep-files":
        given = {"paths": [str(world.root / "f")]}
    assert await world.take(command, given) is None
    assert await world.store.of_execution("ex_1") == []


async def test_that_it_began_is_stated(world: CapturesWorld) -> None:
    """A step that changes something, but nothing that outlives it, states that it was about to
    begin: a step that was lost without that has never begun."""
    write = {"operation": "write", "path": "own", "content": "x"}
    assert await world.take("file", write) == Captured(agent="a1", attempt=1)
    assert (await world.manifest()).items == ()
    assert not (await world.manifest()).restorable
    assert (await world.restore())["total"] == 0


async def test_it_tells_how_much(world: CapturesWorld) -> None:
    """The report says on which agent, before which attempt, and how much was kept."""
    path = _file(world, content=b"x" * 30)
    taken = await world.take("file", {"operation": "delete", "path": str(path)})
    assert taken == Captured(agent="a1", attempt=1, items=1, files=1, bytes=30)
    manifest = await world.manifest()
    assert (manifest.template_id, manifest.command, manifest.host) == ("t", "file", "h")
    [item] = manifest.items
    assert isinstance(item, FileItem)
    assert (item.was, item.mode, item.bytes) == ("file", "0644", 30)
    assert item.owner is not None
    assert item.owner.uid == os.geteuid()


async def test_the_first_one_counts(world: CapturesWorld) -> None:
    """A retry after half a change finds what was there before the first attempt."""
    path = _file(world)
    first = await world.take("file", {"operation": "delete", "path": str(path)})
    path.write_text("half done")
    again = await world.take("file", {"operation": "delete", "path": str(path)}, attempt=2)
    assert again == first
    await world.restore()
    assert path.read_text() == "was"


async def test_two_that_keep_at_once(world: CapturesWorld) -> None:
    """Should two attempts get so far, one manifest counts, and both report that."""
    path = _file(world)
    delete = {"operation": "delete", "path": str(path)}
    taken = await asyncio.gather(*(world.take("file", delete) for _ in range(4)))
    assert len(set(taken)) == 1


async def test_each_agent_has_its_own(world: CapturesWorld) -> None:
    """A retry on another agent keeps what is there: that is another host's file."""
    path = _file(world)
    await world.take("file", {"operation": "delete", "path": str(path)})
    world.agent = "a2"
    path.write_text("of a2")
    taken = await world.take("file", {"operation": "delete", "path": str(path)}, attempt=2)
    assert isinstance(taken, Captured)
    assert (taken.agent, taken.attempt) == ("a2", 2)
    assert [m.agent for m in await world.store.of_step("ex_1", "s")] == ["a1", "a2"]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(file_bytes=999, capture_bytes=10_000), "f0' has more than 999 bytes"),
        (Limits(file_bytes=5_000, capture_bytes=1_500), "more than 1500 bytes together"),
    ],
)
async def test_what_is_too_large_is_not_begun(tmp_path: Path, limits: Limits, told: str) -> None:
    """More than the agent's limits is refused for good, and the message tells what to do."""
    world = CapturesWorld(tmp_path, limits)
    (world.root / "d").mkdir()
    for number in range(2):
        _file(world, f"d/f{number}", os.urandom(1_000))
    taken = await world.keep(world.root / "d")
    assert isinstance(taken, Failed)
    assert (taken.code, taken.retryable) == ("capture_too_large", False)
    assert told in taken.message
    assert "irreversible" in taken.message
    assert await world.store.of_execution("ex_1") == []


async def test_too_many_paths(world: CapturesWorld) -> None:
    """The number of paths is bounded as well."""
    (world.root / "d").mkdir()
    for number in range(1_000):
        (world.root / "d" / str(number)).touch()
    taken = await world.keep(world.root / "d")
    assert isinstance(taken, Failed)
    assert (taken.code, "1000 paths" in taken.message) == ("capture_too_large", True)


async def test_too_long_paths(world: CapturesWorld) -> None:
    """A manifest fits into a message: the length of all paths together is bounded."""
    deep = world.root / "d"
    deep.mkdir()
    for _ in range(12):
        deep = deep / ("x" * 200)
        deep.mkdir()
    for number in range(600):
        (deep / f"{number}").symlink_to("y" * 100)
    taken = await world.keep(world.root / "d")
    assert isinstance(taken, Failed)
    assert taken.code == "capture_too_large"
    assert "paths have more than" in taken.message


async def test_what_the_command_would_be_refused(world: CapturesWorld) -> None:
    """A path that the policy forbids fails as the command itself would."""
    taken = await world.take("file", {"operation": "delete", "path": "/etc/hostname"})
    assert isinstance(taken, Failed)
    assert (taken.code, taken.retryable) == ("refused_by_policy", False)
    invalid = await world.take("file", {"operation": "delete"})
    assert isinstance(invalid, Failed)
    assert invalid.code == "invalid_parameters"


async def test_nothing_leads_out_of_the_roots(world: CapturesWorld, tmp_path: Path) -> None:
    """Symbolic links and `..` are no way to keep what lies outside."""
    secret = tmp_path / "secret"
    secret.write_bytes(MARK)
    (world.root / "link").symlink_to(secret)
    (world.root / "up").symlink_to(tmp_path)
    for path in ("link", "up/secret", "../secret"):
        taken = await world.take(
            "file", {"operation": "write", "path": f"{world.root}/{path}", "content": "x"}
        )
        assert isinstance(taken, Failed), path
        assert taken.code == "refused_by_policy"
    kept = await world.keep(world.root / "up" / "secret")
    assert isinstance(kept, Failed)
    (world.root / "d").mkdir()
    (world.root / "d" / "link").symlink_to(secret)
    assert isinstance(await world.keep(world.root / "d"), Captured)
    items = (await world.manifest()).items
    assert [i.was for i in items if isinstance(i, FileItem)] == ["directory", "symlink"]


class TestAuthorsCapture:
    """A step's own `capture`."""

    async def test_its_output_is_kept(self, world: CapturesWorld) -> None:
        """What it returns is an item of its own, beside what the command keeps by itself."""
        path = _file(world)
        taken = await world.take(
            "file",
            {"operation": "delete", "path": str(path)},
            capture=("shell", {"argv": ["echo", "7"]}),
        )
        assert isinstance(taken, Captured)
        assert (taken.items, taken.files) == (2, 1)
        manifest = await world.manifest()
        assert manifest.output is not None
        assert manifest.output["stdout"] == "7\n"
        assert manifest.restorable

    @pytest.mark.parametrize(
        ("capture", "told", "retryable"),
        [
            (("shell", {"argv": ["false"]}), "unexpected_exit", True),
            (("shell", {"argv": ["sleep", "60"]}), "did not end in time", True),
            (("wait", {"seconds": 60}), "waits for something", False),
            (("nothing", {}), "no command 'nothing'", False),
            (("shell", {}), "invalid_parameters", False),
        ],
    )
    async def test_that_fails_keeps_the_step_from_beginning(
        self,
        world: CapturesWorld,
        capture: tuple[str, dict[str, Any]],
        told: str,
        retryable: bool,
    ) -> None:
        """Nothing was changed, nothing is stated, and it is said whether trying again may help."""
        world.capture_timeout_s = 0.5
        taken = await world.take("shell", {"script": "true"}, capture=capture)
        assert isinstance(taken, Failed)
        assert (taken.code, taken.retryable) == ("capture_failed", retryable)
        assert told in taken.message
        assert await world.store.of_execution("ex_1") == []

    async def test_that_is_cancelled(self, world: CapturesWorld) -> None:
        """A step that is told to stop while something is kept never begins."""
        asyncio.get_running_loop().call_later(0.2, world.stopped.set)
        taken = await world.take(
            "shell", {"script": "true"}, capture=("shell", {"argv": ["sleep", "60"]})
        )
        assert isinstance(taken, Cancelled)

    async def test_runs_once(self, world: CapturesWorld) -> None:
        """A later attempt does not run it again."""
        count = world.root / "count"
        capture = ("shell", {"script": f"echo x >> {count}; cat {count}"})
        first = await world.take("shell", {"script": "true"}, capture=capture)
        again = await world.take("shell", {"script": "true"}, capture=capture, attempt=2)
        assert first == again
        assert count.read_text() == "x\n"


class _Away(MemoryCaptures):
    async def create(self, manifest: Manifest) -> Manifest:
        raise CapturesUnavailableError(f"captures cannot be reached now: {manifest.step}")


class _Full(MemoryCaptures):
    async def put_blob(self, name: str, data: bytes) -> None:
        raise CapturesFullError(f"captures: no room for {len(data)} bytes {name}")


@pytest.mark.parametrize("store", [_Away(), _Full()])
async def test_without_a_store_no_step_begins(tmp_path: Path, store: MemoryCaptures) -> None:
    """What cannot be kept keeps the step from beginning; it may be tried again."""
    world = CapturesWorld(tmp_path, store=store)
    path = _file(world, content=os.urandom(100_000))
    taken = await world.take("file", {"operation": "delete", "path": str(path)})
    assert isinstance(taken, Failed)
    assert (taken.code, taken.retryable) == ("capture_failed", True)


class _Restarted(MemoryCaptures):
    """Away for the first calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def create(self, manifest: Manifest) -> Manifest:
        self.calls += 1
        if self.calls < 4:
            raise CapturesUnavailableError("captures cannot be reached now")
        return await super().create(manifest)


async def test_a_short_outage_is_waited_for(tmp_path: Path) -> None:
    """Servers that are restarted fail no step; the author's capture is not run again for it."""
    store = _Restarted()
    world = CapturesWorld(tmp_path, store=store, patience_s=10.0)
    count = world.root / "count"
    capture = ("shell", {"script": f"echo x >> {count}"})
    taken = await world.take("shell", {"script": "true"}, capture=capture)
    assert isinstance(taken, Captured)
    assert (store.calls, count.read_text()) == (4, "x\n")


class TestContents:
    """What leaves the agent."""

    @pytest.mark.parametrize("size", [100, 50_000])
    async def test_is_never_in_clear(self, world: CapturesWorld, size: int) -> None:
        """Neither the manifest nor a blob holds the text or its compressed form."""
        text = (MARK + os.urandom(8)) * (size // len(MARK))
        path = _file(world, content=text + os.urandom(0 if size < 1_000 else INLINE_LIMIT))
        await world.take("file", {"operation": "delete", "path": str(path)})
        manifest = (await world.manifest()).model_dump_json().encode()
        stored = [manifest, *world.store._blobs.values()]
        assert len(stored) == (1 if size < 1_000 else 2)
        for data in stored:
            assert MARK not in data
            assert zlib.compress(text, 3)[8:40] not in data

    async def test_is_kept_once(self, world: CapturesWorld) -> None:
        """Equal contents of several files, or before several steps, are one blob."""
        content = os.urandom(50_000)
        for name in ("a", "b"):
            _file(world, name, content)
        await world.keep(world.root / "a", world.root / "b")
        assert len(world.store._blobs) == 1

    def test_opens_with_its_key_only(self) -> None:
        """Another key, or a changed byte, is found out; so is a content of another size."""
        sealer = ContentSealer(KEY)
        sealed = sealer.seal(b"x" * 1_000)
        assert sealer.open(sealed, 1_000) == b"x" * 1_000
        assert len(sealed) < 100
        other = ContentSealer(b"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
        for opening, data, size in (
            (other, sealed, 1_000),
            (sealer, flipped, 1_000),
            (sealer, sealed[:5], 1_000),
            (sealer, sealed, 999),
            (sealer, sealed, 1_001),
        ):
            with pytest.raises(SealError):
                opening.open(data, size)

    @pytest.mark.parametrize(
        ("content", "most"),
        [
            (b"", 40),
            (b"setting = value\n" * 20_000, 20_000),
            (os.urandom(300_000), 300_100),
            (os.urandom(100_000) + b"x" * 300_000, 450_000),
        ],
    )
    def test_takes_little_room(self, content: bytes, most: int) -> None:
        """Text gets smaller, what cannot get smaller hardly larger; all come back, and are sealed
        the same way every time."""
        sealer = ContentSealer(KEY)
        sealed = sealer.seal(content)
        assert len(sealed) <= most
        assert sealer.open(sealed, len(content)) == content
        assert ContentSealer(KEY).seal(content) == sealed

    async def test_of_another_key_is_told(self, world: CapturesWorld) -> None:
        """An agent whose sealing key was changed says so, and changes nothing."""
        path = _file(world)
        await world.take("file", {"operation": "delete", "path": str(path)})
        path.unlink()
        manifest = await world.manifest()
        item = manifest.items[0]
        assert isinstance(item, FileItem)
        damaged = item.model_copy(update={"sha256": "0" * 64})
        other = CapturesWorld(world.home)
        await other.store.create(manifest.model_copy(update={"items": (damaged,)}))
        failed = await other.refused()
        assert (failed.code, "another checksum" in failed.message) == ("captures_unavailable", True)
        assert not path.exists()


async def test_outputs_are_sealed_by_the_caller(world: CapturesWorld) -> None:
    """What is sensitive or secret in a capture's output is sealed before it is kept."""
    capture = ("noop", {"echo": {"token": "s3cret"}})
    hidden: list[dict[str, Any]] = []

    def sealed(output: dict[str, Any]) -> dict[str, Any]:
        hidden.append(output)
        return {"echo": "sealed:v1:x"}

    await world.take("shell", {"script": "true"}, capture=capture, sealed=sealed)
    assert hidden[0]["echo"] == {"token": "s3cret"}
    items = (await world.manifest()).items
    assert items == (OutputItem(command="noop", output={"echo": "sealed:v1:x"}),)
