"""A disk that is full, or a limit on files: a clear failure, nothing half-done, and on it goes."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

FILE_LIMIT_BYTES = 256 * 1024


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB and a dozen files, where the system lets us mount one."""
    argv = ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=12", "tiny", str(tmp_path)]
    try:
        subprocess.run(argv, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a tiny file system here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def _write(step: str, path: Path, characters: int, **rest: object) -> dict[str, object]:
    content = "x" * characters
    parameters = {"operation": "write", "path": str(path), "content": content}
    return {"id": step, "command": "file", "parameters": parameters, **rest}


def _fill(path: Path) -> None:
    """Write until there is no room left."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        file.write(b"x" * 1024 * 1024) and file.write(b"x" * 4096)


def _many_files(folder: Path) -> list[Path]:
    """Make empty files until no more fit."""
    made = [folder / f"more{number}" for number in range(100)]
    with contextlib.suppress(OSError):
        for path in made:
            path.touch()
    return [path for path in made if path.exists()]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_full_disk_is_said_and_leaves_nothing_half_done(
    world: World, tiny_disk: Path
) -> None:
    """With its disk full an agent's file and script steps fail as `disk_full`, and so does what
    needs a working directory when no more files fit; old content stays, other steps go on."""
    policy = world.home / "policy.yaml"
    policy.write_text(f"roots: [{tiny_disk}]\n", encoding="utf-8")
    await world.executor("full", agent_policy=policy)
    work = world.home / "agents" / "full" / "work"
    (world.home / "agents" / "full").mkdir(parents=True, exist_ok=True)
    work.symlink_to(tiny_disk)
    old = tiny_disk / "old"
    old.write_text("as it was", encoding="utf-8")
    tolerated = {"continue_on_failure": True}
    state = await world.run("half_done", [_write("a", old, 200_000), noop("b")])
    assert state.steps["a"].status == "failed"
    failure = state.steps["a"].failure
    assert failure is not None
    assert failure.code == "disk_full"
    assert str(old) in failure.message
    assert old.read_text(encoding="utf-8") == "as it was"
    assert _names(tiny_disk) == ["old"]

    filler = tiny_disk / "filler"
    _fill(filler)
    script = shell("script", "true", **tolerated)
    state = await world.run("no_room", [script, noop("d")])
    failure = state.steps["script"].failure
    assert failure is not None
    assert failure.code == "disk_full", failure
    assert state.steps["d"].status == "completed"
    filler.unlink()

    more = _many_files(tiny_disk)
    program = {"id": "c", "command": "shell", "parameters": {"argv": ["true"]}, **tolerated}
    state = await world.run("no_files", [program, noop("d")])
    failure = state.steps["c"].failure
    assert failure is not None
    assert failure.code == "disk_full", failure
    assert state.steps["d"].status == "completed"
    for path in more:
        path.unlink()
    assert (await world.run("room", [shell("a", "true")])).status == "completed"


async def test_a_limit_on_files_is_said(world: World) -> None:
    """A file beyond the limit of the agent's process fails clearly, nothing of it stays, and the
    agent goes on."""
    process = await world.executor("limited", role="runner")
    if "full" not in world.executors:
        await world.executor("mind", role="coordinator")
    hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, hard))
    folder = world.home / "agents" / "limited"
    target = {"target": {"host": "limited"}}
    step = _write("a", folder / "large", FILE_LIMIT_BYTES + 1, **target)
    state = await world.run("limited", [step])
    failure = state.steps["a"].failure
    assert failure is not None
    assert failure.code == "too_large"
    assert [name for name in _names(folder) if name == "large" or ".draft" in name] == []
    assert (await world.run("limited_after", [noop("a", **target)])).status == "completed"
