"""The file command: containment, atomic changes, templates, clear errors."""

import base64
import errno
import hashlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.executor.commands.base import Cancelled, Completed, Failed, JsonObject, TimedOut
from services.executor.commands.file import FileCommand
from services.executor.commands.refusal import REFUSED_CODE
from services.executor.policy import default_policy
from shared.commands.file import FileParameters
from tests.unit.commands.contexts import Stage


def parameters_of(**given: Any) -> FileParameters:
    return FileParameters.model_validate(given)


async def done(stage: Stage, **parameters: Any) -> JsonObject:
    outcome = await FileCommand().run(parameters_of(**parameters), stage.context())
    assert isinstance(outcome, Completed), outcome
    return outcome.output


async def failed(stage: Stage, **parameters: Any) -> Failed:
    outcome = await FileCommand().run(parameters_of(**parameters), stage.context())
    assert isinstance(outcome, Failed), outcome
    return outcome


def names_in(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_write_makes_and_replaces(stage: Stage) -> None:
    """Writing says what changed and what was there before; the same again changes nothing."""
    first = await done(stage, operation="write", path="a", content="one\n")
    assert (first["changed"], first["previous_sha256"]) == (True, None)
    assert first["sha256"] == sha256(b"one\n")
    assert first["mode"] == "0644"
    second = await done(stage, operation="write", path="a", content="two\n")
    assert second["previous_sha256"] == first["sha256"]
    again = await done(stage, operation="write", path="a", content="two\n")
    assert (again["changed"], again["bytes"]) == (False, 4)
    assert (stage.workdir / "a").read_text() == "two\n"


async def test_write_keeps_or_sets_the_mode(stage: Stage) -> None:
    """An existing mode stays unless another is given."""
    file = stage.workdir / "a"
    file.write_text("x")
    file.chmod(0o600)
    assert (await done(stage, operation="write", path="a", content="y"))["mode"] == "0600"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    output = await done(stage, operation="write", path="a", content="y", mode="640")
    assert (output["changed"], output["mode"]) == (True, "0640")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


async def test_new_content_is_not_setuid(stage: Stage) -> None:
    """What ran with other rights loses them with its content, as if written in place."""
    file = stage.workdir / "a"
    file.write_text("old")
    file.chmod(0o4755)
    unchanged = await done(stage, operation="write", path="a", content="old")
    assert (unchanged["changed"], unchanged["mode"]) == (False, "4755")
    assert (await done(stage, operation="write", path="a", content="new"))["mode"] == "0755"
    assert stat.S_IMODE(file.stat().st_mode) == 0o755


async def test_base64_carries_any_bytes(stage: Stage) -> None:
    """Bytes that are no text are written and read as base64."""
    data = bytes(range(256))
    content = base64.b64encode(data).decode()
    await done(stage, operation="write", path="b", content=content, encoding="base64")
    assert (stage.workdir / "b").read_bytes() == data
    read = await done(stage, operation="read", path="b", encoding="base64")
    assert read["content"] == content
    assert (await failed(stage, operation="read", path="b")).code == "not_text"
    broken = await failed(stage, operation="write", path="b", content="%", encoding="base64")
    assert broken.code == "invalid_content"


async def test_read_is_never_cut(stage: Stage) -> None:
    """A file larger than the output limit is refused."""
    (stage.workdir / "big").write_bytes(b"x" * 300_000)
    assert (await failed(stage, operation="read", path="big")).code == "too_large"
    assert (await done(stage, operation="checksum", path="big"))["bytes"] == 300_000


async def test_copy_and_checksum(stage: Stage) -> None:
    """A copy has the same content; copying again changes nothing."""
    data = os.urandom(3_000_000)
    (stage.workdir / "a").write_bytes(data)
    output = await done(stage, operation="copy", source="a", path="x/y/b", create_parents=True)
    assert (output["sha256"], output["changed"]) == (sha256(data), True)
    assert (stage.workdir / "x/y/b").read_bytes() == data
    assert not (await done(stage, operation="copy", source="a", path="x/y/b"))["changed"]
    assert (await failed(stage, operation="copy", source="none", path="c")).code == "not_found"
    assert {entry.name for entry in (stage.workdir / "x/y").iterdir()} == {"b"}


async def test_permissions(stage: Stage) -> None:
    """The mode changes; the content does not."""
    (stage.workdir / "a").write_text("x")
    (stage.workdir / "a").chmod(0o644)
    output = await done(stage, operation="permissions", path="a", mode="0600")
    assert (output["changed"], output["mode"]) == (True, "0600")
    assert not (await done(stage, operation="permissions", path="a", mode="0600"))["changed"]


async def test_delete_removes_files_and_links_only(stage: Stage) -> None:
    """A link is removed, not its target; a directory is refused; what is gone is fine."""
    target, link = stage.workdir / "target", stage.workdir / "link"
    target.write_text("x")
    link.symlink_to(target)
    assert (await done(stage, operation="delete", path="link"))["changed"]
    assert target.exists()
    output = await done(stage, operation="delete", path="target")
    assert (output["exists"], output["previous_sha256"]) == (False, sha256(b"x"))
    assert not (await done(stage, operation="delete", path="target"))["changed"]
    assert not (await done(stage, operation="delete", path="none/at/all"))["changed"]
    (stage.workdir / "dir").mkdir()
    assert (await failed(stage, operation="delete", path="dir")).code == "not_a_file"


async def test_stat(stage: Stage) -> None:
    """What is there, or that nothing is."""
    (stage.workdir / "dir").mkdir()
    (stage.workdir / "dir/a").write_text("abc")
    assert (await done(stage, operation="stat", path="dir"))["kind"] == "directory"
    output = await done(stage, operation="stat", path="dir/a")
    assert (output["kind"], output["bytes"]) == ("file", 3)
    assert not (await done(stage, operation="stat", path="none/b"))["exists"]


async def test_named_pipe_does_not_block(stage: Stage) -> None:
    """Something that is no regular file is refused at once."""
    os.mkfifo(stage.workdir / "pipe")
    assert (await failed(stage, operation="read", path="pipe")).code == "not_a_file"
    assert (await done(stage, operation="stat", path="pipe"))["kind"] == "other"


@pytest.mark.parametrize("operation", ["read", "write", "checksum", "permissions", "delete"])
async def test_sockets_are_no_files(stage: Stage, operation: str) -> None:
    """Nor is a socket read, replaced, changed or removed."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(stage.workdir / "s"))
        outcome = await failed(stage, operation=operation, path="s", content="x", mode="0600")
    assert outcome.code == "not_a_file"
    assert names_in(stage.workdir) == ["s"]


@pytest.mark.parametrize("operation", ["read", "stat", "checksum", "delete", "write"])
@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "inside/../../secret",
        "{outside}/secret",
        "out/secret",
        "out/new",
        "chain/secret",
        "/etc/passwd",
    ],
)
async def test_nothing_outside_the_roots(stage: Stage, operation: str, path: str) -> None:
    """Whatever the way out (dots, absolute, links), it is refused and changes nothing."""
    outside = stage.workdir.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (stage.workdir / "out").symlink_to(outside)
    (stage.workdir / "chain").symlink_to("out")
    outcome = await failed(
        stage, operation=operation, path=path.format(outside=outside), content="evil"
    )
    assert outcome.code == REFUSED_CODE
    assert outcome.output["rule"].startswith("roots: ")
    assert [entry.read_text() for entry in outside.iterdir()] == ["secret"]


async def test_link_to_outside_file_is_not_followed(stage: Stage) -> None:
    """Reading, writing and copying through a link that leaves the roots are refused."""
    outside = stage.workdir.parent / "secret"
    outside.write_text("secret")
    (stage.workdir / "link").symlink_to(outside)
    for parameters in (
        {"operation": "read", "path": "link"},
        {"operation": "write", "path": "link", "content": "evil"},
        {"operation": "copy", "source": "link", "path": "copy"},
        {"operation": "template", "source": "link", "path": "copy"},
    ):
        assert (await failed(stage, **parameters)).code == REFUSED_CODE
    assert outside.read_text() == "secret"
    assert not (stage.workdir / "copy").exists()


async def test_link_within_the_roots_is_followed(stage: Stage) -> None:
    """Writing to a link writes its target and leaves the link."""
    (stage.workdir / "real").mkdir()
    (stage.workdir / "link").symlink_to("real")
    output = await done(stage, operation="write", path="link/a", content="x")
    assert output["path"] == str((stage.workdir / "real/a").resolve())
    assert (stage.workdir / "link").is_symlink()


async def test_directory_swapped_for_a_link_is_not_entered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory replaced by a link between the check and the opening leads nowhere."""
    outside = stage.workdir.parent / "outside"
    outside.mkdir()
    (stage.workdir / "dir").mkdir()
    realpath = os.path.realpath

    def swap_after_resolving(path: Any, **options: Any) -> Any:
        resolved = realpath(path, **options)
        if str(path).endswith("dir/a"):
            (stage.workdir / "dir").rmdir()
            (stage.workdir / "dir").symlink_to(outside)
        return resolved

    monkeypatch.setattr(os.path, "realpath", swap_after_resolving)
    outcome = await FileCommand().run(
        parameters_of(operation="write", path="dir/a", content="evil"),
        stage.context(),
    )
    assert isinstance(outcome, Failed)
    assert list(outside.iterdir()) == []


SEGMENT = st.sampled_from(["a", "b", "in", "out", "up", "..", ".", "deep", "self"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(SEGMENT, min_size=1, max_size=6), st.booleans())
async def test_no_path_escapes(
    tmp_path_factory: pytest.TempPathFactory, segments: list[str], absolute: bool
) -> None:
    """Whatever is composed of names, dots and links, nothing outside the root is touched."""
    base = tmp_path_factory.mktemp("escape")
    root, outside = base / "root", base / "outside"
    for directory in (root / "deep/deep", outside / "deep"):
        directory.mkdir(parents=True)
    (outside / "a").write_text("secret")
    for name, target in (("out", outside), ("up", ".."), ("in", "deep"), ("self", "self")):
        (root / name).symlink_to(target)
        (root / "deep" / name).symlink_to(target)
    before = sorted(str(path) for path in base.rglob("*") if not path.is_relative_to(root))
    path = "/".join(segments)
    stage = Stage(root)
    for operation in ("write", "read", "delete"):
        parameters = parameters_of(
            operation=operation,
            path=f"{root}/{path}" if absolute else path,
            content="evil",
            create_parents=True,
        )
        outcome = await FileCommand().run(parameters, stage.context())
        assert "secret" not in str(outcome)
    after = sorted(str(path) for path in base.rglob("*") if not path.is_relative_to(root))
    assert after == before
    assert (outside / "a").read_text() == "secret"


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.dictionaries(NAMES, st.text(alphabet=st.characters(codec="utf-8")), max_size=5))
async def test_template_inserts_values_as_they_are(stage: Stage, values: dict[str, str]) -> None:
    """Values are inserted once, unchanged, also if they look like a template themselves."""
    text = "$$" + "".join(f"[${{{name}}}]" for name in values)
    await done(stage, operation="template", path="t", content=text, values=values)
    written = (stage.workdir / "t").read_bytes().decode()
    assert written == "$" + "".join(f"[{value}]" for value in values.values())


async def test_template_errors(stage: Stage) -> None:
    """Every missing name is listed; a stray dollar sign is explained; nothing is written."""
    parameters = {"operation": "template", "path": "t"}
    missing = await failed(stage, **parameters, content="${a} ${b} $c", values={"b": 1})
    assert (missing.code, "a, c" in missing.message) == ("missing_values", True)
    assert (await failed(stage, **parameters, content="5 $")).code == "invalid_template"
    assert not (stage.workdir / "t").exists()


async def test_template_from_a_file(stage: Stage) -> None:
    """The template may be a file; booleans are printed as configuration files write them."""
    (stage.workdir / "s").write_text("on=${on} port=${port}\n")
    values = {"on": True, "port": 80}
    await done(stage, operation="template", path="t", source="s", values=values)
    assert (stage.workdir / "t").read_text() == "on=true port=80\n"


async def test_full_disk_leaves_the_old_file(stage: Stage) -> None:
    """When the disk is full after half of the data, the old file stays and no draft is left."""
    (stage.workdir / "a").write_text("old")
    written = 0

    def write(fd: int, data: bytes) -> int:
        nonlocal written
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(fd, data[:10])
        return written

    parameters = parameters_of(operation="write", path="a", content="x" * 1000)
    outcome = await FileCommand(write=write).run(parameters, stage.context())
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("disk_full", True)
    assert written == 10
    assert [entry.name for entry in stage.workdir.iterdir()] == ["a"]
    assert (stage.workdir / "a").read_text() == "old"


async def test_real_full_disk(stage: Stage, tiny_disk: Path) -> None:
    """A real file system that is too small: the same."""
    outcome = await failed(stage, operation="write", path="tiny/a", content="x" * 200_000)
    assert outcome.code == "disk_full"
    assert names_in(tiny_disk) == []


async def test_cancelled_and_out_of_time(stage: Stage) -> None:
    """Told to stop, or out of time, it changes nothing and says so."""
    (stage.workdir / "a").write_bytes(b"x" * 3_000_000)
    parameters = parameters_of(operation="copy", source="a", path="b")
    late = await FileCommand().run(parameters, stage.context(deadline_s=-1))
    assert isinstance(late, TimedOut)
    stage.cancelled.set()
    stopped = await FileCommand().run(parameters, stage.context())
    assert isinstance(stopped, Cancelled)
    assert stopped.proof.gone
    assert {entry.name for entry in stage.workdir.iterdir()} == {"a"}


async def test_root_itself_is_no_file(stage: Stage) -> None:
    """A root can be neither read nor removed."""
    outcome = await failed(stage, operation="delete", path=str(stage.workdir))
    assert outcome.code == "not_a_file"


async def test_other_roots_of_the_policy(stage: Stage, tmp_path: Path) -> None:
    """Absolute paths reach every root of the policy."""
    other = tmp_path / "other"
    other.mkdir()
    policy = default_policy(stage.workdir, [other])
    parameters = parameters_of(operation="write", path=str(other / "a"), content="x")
    outcome = await FileCommand().run(parameters, stage.context(policy=policy))
    assert isinstance(outcome, Completed)
    assert (other / "a").read_text() == "x"
