"""What was kept before a step comes back byte for byte, on real files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.executor.commands.base import Cancelled, Failed
from shared.contracts.captures import OwnPath
from shared.workflow.captured import Captured
from tests.unit.executor.captures_world import CapturesWorld

ROOT = os.geteuid() == 0
CONTENT = "was\n" * 10


@pytest.fixture
def world(tmp_path: Path) -> CapturesWorld:
    return CapturesWorld(tmp_path)


def _write(path: Path, content: str | bytes, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


async def _kept(world: CapturesWorld, **parameters: Any) -> None:
    """Keep what a `file` step changes, run it, and see that it did."""
    before = world.picture()
    taken = await world.take("file", parameters)
    assert isinstance(taken, Captured), taken
    outcome = await world.run("file", **parameters)
    assert not isinstance(outcome, Failed), outcome
    assert world.picture() != before


@pytest.mark.parametrize(
    ("before", "mode"),
    [(CONTENT, 0o640), ("", 0o644), (os.urandom(70_000), 0o600), (b"\xff\xfe", 0o400)],
    ids=["text", "empty", "large", "binary"],
)
async def test_a_written_file_is_as_it_was(
    world: CapturesWorld, before: str | bytes, mode: int
) -> None:
    """Content and mode come back; a second run finds nothing to do."""
    path = _write(world.root / "f", before, mode)
    was = world.picture()
    await _kept(world, operation="write", path=str(path), content="new", mode="0666")
    output = await world.restore()
    assert world.picture() == was
    assert (output["restored"], output["total"]) == (1, 1)
    assert output["files"][0]["differs"] == ["content", "mode"]
    assert (await world.restore())["unchanged"] == 1


@pytest.mark.skipif(not ROOT, reason="only root reads a file of mode 0 and gives files away")
async def test_owner_and_strange_modes_come_back(world: CapturesWorld) -> None:
    """A file of mode 0 that belongs to somebody else is again that."""
    path = _write(world.root / "f", CONTENT, 0)
    os.chown(path, 12_345, 54_321)
    was = world.picture()
    await world.take("file", {"operation": "delete", "path": str(path)})
    path.unlink()
    _write(path, "mine")
    await world.restore()
    assert world.picture() == was
    path.chmod(0o4755)
    os.chown(path, 0, 0)
    output = await world.restore()
    assert world.picture() == was
    assert output["files"][0]["differs"] == ["mode", "owner"]


async def test_what_was_not_there_is_removed(world: CapturesWorld) -> None:
    """A new file goes, and the directories that were made for it go with it; those in which
    somebody else has put something stay, and that is told."""
    await _kept(
        world,
        operation="write",
        path=str(world.root / "a" / "b" / "f"),
        content="x",
        create_parents=True,
    )
    output = await world.restore()
    assert world.picture() == {}
    assert [one["was"] for one in output["files"]] == ["absent"] * 3
    _write(world.root / "a" / "b" / "f", "x")
    _write(world.root / "a" / "other", "x")
    failed = await world.refused()
    assert failed.code == "restore_incomplete"
    assert "not empty" in failed.message
    assert list(world.root.iterdir()) == [world.root / "a"]
    assert [one.name for one in (world.root / "a").iterdir()] == ["other"]


async def test_a_deleted_link_is_a_link_again(world: CapturesWorld) -> None:
    """Of a symbolic link that is deleted the link is kept, not what it leads to."""
    _write(world.root / "target", CONTENT)
    link = world.root / "link"
    link.symlink_to("target")
    was = world.picture()
    await _kept(world, operation="delete", path=str(link))
    await world.restore()
    assert world.picture() == was


async def test_a_file_behind_a_link_is_kept(world: CapturesWorld) -> None:
    """What is written through a symbolic link changes the file behind it: that is kept."""
    target = _write(world.root / "target", CONTENT)
    (world.root / "link").symlink_to(target)
    was = world.picture()
    await _kept(world, operation="write", path=str(world.root / "link"), content="new")
    await world.restore()
    assert world.picture() == was


async def test_names_that_are_no_utf_8(world: CapturesWorld) -> None:
    """A path is bytes: what is kept under it comes back under it, also when it was reached by a
    link, and so does what a link leads to."""
    directory = world.root / "d" / os.fsdecode(b"\xff\xfe\n")
    for name in (b"\xe9", b"plain", b" \t\"'"):
        _write(directory / os.fsdecode(name), CONTENT)
    (directory / "l").symlink_to(os.fsdecode(b"to\xe9"))
    (world.root / "link").symlink_to(directory)
    was = world.picture()
    await world.keep(world.root / "link" / "plain", world.root / "d")
    shutil.rmtree(directory)
    await world.restore()
    assert world.picture() == was


async def test_a_directory_comes_back_with_all_that_was_in_it(world: CapturesWorld) -> None:
    """What was changed, removed, replaced by something else or added in it is as it was."""
    tree = world.root / "conf"
    for name in ("a", "b", "c/d", "c/e/f"):
        _write(tree / name, name)
    (tree / "empty").mkdir(mode=0o700)
    (tree / "l").symlink_to("a")
    strange = tree / os.fsdecode(b"\xff")
    strange.write_bytes(b"x")
    was = world.picture()
    assert isinstance(await world.keep(tree), Captured)
    (tree / "a").write_text("changed")
    (tree / "b").unlink()
    (tree / "b").mkdir()
    _write(tree / "b" / "more" / "x", "x")
    shutil.rmtree(tree / "c")
    (tree / "c").symlink_to("/etc")
    (tree / "empty").rmdir()
    _write(tree / "empty", "a file")
    (tree / "l").unlink()
    (tree / "l").symlink_to("b")
    strange.unlink()
    _write(tree / "new" / "deep" / "x", "x")
    tree.chmod(0o711)
    await world.restore()
    assert world.picture() == was


async def test_a_directory_that_came_afterwards_goes(world: CapturesWorld) -> None:
    """Where `keep-files` found nothing, whatever came is removed."""
    path = world.root / "new" / "tree"
    assert isinstance(await world.keep(path), Captured)
    _write(path / "a" / "b", "x")
    await world.restore()
    assert world.picture() == {}


async def test_comparing_changes_nothing(world: CapturesWorld) -> None:
    """`compare` tells what differs and leaves it."""
    path = _write(world.root / "f", CONTENT)
    await _kept(world, operation="write", path=str(path), content="new")
    now = world.picture()
    output = await world.restore(operation="compare")
    assert world.picture() == now
    assert (output["unchanged"], output["restored"]) == (0, 0)
    [one] = output["files"]
    assert (one["path"], one["differs"], one["restored"]) == (str(path), ["content"], False)


async def test_only_some_paths(world: CapturesWorld) -> None:
    """`paths` restricts it to these and what is in them."""
    for name in ("a/x", "b/x"):
        _write(world.root / name, CONTENT)
    await world.keep(world.root / "a", world.root / "b")
    for name in ("a/x", "b/x"):
        _write(world.root / name, "new")
    await world.restore(paths=[str(world.root / "a")])
    assert (world.root / "a" / "x").read_text() == CONTENT
    assert (world.root / "b" / "x").read_text() == "new"


async def test_links_lead_nowhere_else(world: CapturesWorld, tmp_path: Path) -> None:
    """A directory that was replaced by a symbolic link, within the roots or out of them, is not
    followed."""
    path = _write(world.root / "d" / "f", CONTENT)
    await _kept(world, operation="write", path=str(path), content="new")
    for elsewhere in (tmp_path / "outside", world.root / "inside"):
        _write(elsewhere / "f", "theirs")
        shutil.rmtree(world.root / "d", ignore_errors=True)
        (world.root / "d").unlink(missing_ok=True)
        (world.root / "d").symlink_to(elsewhere)
        failed = await world.refused()
        assert failed.code == "restore_incomplete"
        assert "elsewhere" in failed.message or "outside" in failed.message
        assert (elsewhere / "f").read_text() == "theirs"
        (world.root / "d").unlink()


async def test_nothing_was_kept(world: CapturesWorld) -> None:
    """A step before which nothing was kept, or on another agent, has nothing to put back."""
    assert (await world.refused()).code == "not_captured"
    path = _write(world.root / "f", CONTENT)
    await _kept(world, operation="write", path=str(path), content="new")
    world.agent = "a2"
    assert "on the agent 'a2'" in (await world.refused()).message


async def test_a_content_that_is_gone(world: CapturesWorld) -> None:
    """A content that is not kept any more fails it before anything is changed."""
    path = _write(world.root / "f", os.urandom(100_000))
    await _kept(world, operation="write", path=str(path), content="new")
    emptied = CapturesWorld(world.home)
    await emptied.store.create(await world.manifest())
    failed = await emptied.refused()
    assert failed.code == "captures_unavailable"
    assert "is not kept" in failed.message
    assert path.read_text() == "new"


async def test_it_stops_when_told(world: CapturesWorld) -> None:
    """A cancelled restore changes nothing more, and says so with proof."""
    path = _write(world.root / "f", CONTENT)
    await _kept(world, operation="write", path=str(path), content="new")
    world.stopped.set()
    outcome = await world.run("restore", execution_id="ex_1", step="s")
    assert isinstance(outcome, Cancelled)
    assert outcome.proof.gone
    assert path.read_text() == "new"


NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.binary(max_size=40)
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o000 if ROOT else 0o400])
DIRECTORY_MODES = st.sampled_from([0o755, 0o700, 0o711])
Change = Callable[[Path], None]


def _replace(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _clear_way(root: Path, path: str) -> Path:
    """Make every directory above a path, in place of whatever is there."""
    place = root
    for part in path.split("/")[:-1]:
        place /= part
        if place.is_symlink() or not place.is_dir():
            _replace(place)
            place.mkdir()
    place /= path.rsplit("/", maxsplit=1)[-1]
    _replace(place)
    return place


def _file(path: str, content: bytes, mode: int) -> Change:
    return lambda root: (_write(_clear_way(root, path), content, mode), None)[1]


def _link(path: str, target: str) -> Change:
    return lambda root: _clear_way(root, path).symlink_to(target)


def _directory(path: str, mode: int) -> Change:
    def make(root: Path) -> None:
        place = _clear_way(root, path)
        place.mkdir()
        place.chmod(mode)

    return make


def _gone(path: str) -> Change:
    return lambda root: _replace(_clear_way(root, path))


CHANGES = st.lists(
    st.one_of(
        st.builds(_file, PATHS, CONTENTS, MODES),
        st.builds(_link, PATHS, PATHS),
        st.builds(_directory, PATHS, DIRECTORY_MODES),
        st.builds(_gone, PATHS),
    ),
    max_size=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=CHANGES, after=CHANGES)
async def test_whatever_is_done_to_a_tree(
    tmp_path: Path, before: list[Change], after: list[Change]
) -> None:
    """Of any tree of files, directories and links, whatever became of it, restoring makes exactly
    what was kept; and comparing finds no difference then."""
    shutil.rmtree(tmp_path / "root", ignore_errors=True)
    world = CapturesWorld(tmp_path)
    tree = world.root / "tree"
    tree.mkdir()
    for change in before:
        change(tree)
    was = world.picture()
    await world.keep(tree)
    for change in after:
        change(tree)
    await world.restore()
    assert world.picture() == was
    assert (await world.restore(operation="compare"))["files"] == []


async def test_special_files_are_refused(world: CapturesWorld) -> None:
    """A pipe cannot be kept: the step does not begin."""
    _write(world.root / "d" / "f", "x")
    os.mkfifo(world.root / "d" / "pipe")
    taken = await world.keep(world.root / "d")
    assert isinstance(taken, Failed)
    assert taken.code == "cannot_be_kept"
    assert "is neither file, directory nor symbolic link" in taken.message


@pytest.mark.parametrize("raw", [b"/a/\xff", b"/a/\\xff", "/\u00e4".encode(), b"/\n"])
def test_paths_are_bytes(raw: bytes) -> None:
    """Text that is no UTF-8 keeps its bytes, and text that looks escaped is not mistaken."""
    path = OwnPath.of(raw)
    assert OwnPath.model_validate_json(path.model_dump_json()).to_bytes() == raw
