"""Bundles on an agent's disk."""

import hashlib
from pathlib import Path

import pytest

from services.executor.synced import SyncedBundles
from shared.contracts.sync import BundleVersion, HeldBundle, SyncFile
from shared.memory.bundles import MemoryBundles
from shared.ports.bundles import NewFile

A1 = NewFile("etc/a.conf", b"a = 1\n")
A2 = NewFile("etc/a.conf", b"a = 2\n")
B = NewFile("b.sh", b"#!/bin/sh\n", mode="0755")


class Corrupting(MemoryBundles):
    """A store that hands out other bytes than it was given, for one path."""

    def __init__(self) -> None:
        super().__init__()
        self.corrupt: str | None = None

    async def read(self, bundle: str, file: SyncFile) -> bytes:
        data = await super().read(bundle, file)
        return data[:-1] + b"?" if file.path == self.corrupt else data


@pytest.fixture
def store() -> Corrupting:
    return Corrupting()


@pytest.fixture
def synced(tmp_path: Path, store: Corrupting) -> SyncedBundles:
    return SyncedBundles(tmp_path, store)


async def push(store: MemoryBundles, *files: NewFile) -> BundleVersion:
    return await store.push("web", files, made_by="test", at_ms=1)


def states(held: HeldBundle) -> dict[str, str]:
    return {file.path: file.state for file in held.files}


async def test_writes_what_is_missing(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """Files arrive with content and mode; what is right already is not written again."""
    first = await push(store, A1)
    assert states(await synced.apply(first)) == {"etc/a.conf": "written"}
    second = await push(store, A1, B)
    held = await synced.apply(second)
    assert (held.version, states(held)) == (2, {"etc/a.conf": "ok", "b.sh": "written"})
    folder = tmp_path / "sync" / "web"
    assert (folder / "etc/a.conf").read_bytes() == A1.data
    assert (folder / "b.sh").stat().st_mode & 0o777 == 0o755
    assert synced.known() == {"web": 2}


async def test_removes_what_the_version_has_not(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """Going back removes the later version's files, and nothing that was never ours."""
    first = await push(store, A1)
    second = await push(store, A2, B)
    await synced.apply(second)
    (tmp_path / "sync/web/own.txt").write_text("somebody's")
    held = await synced.apply(first)
    assert states(held) == {"etc/a.conf": "written", "b.sh": "removed"}
    assert held.version == 1
    left = sorted(p.name for p in (tmp_path / "sync/web").rglob("*") if p.is_file())
    assert left == ["a.conf", "own.txt"]


async def test_a_checksum_mismatch_changes_nothing(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """One bad content, and the earlier version stays whole; the agent says which and why."""
    await synced.apply(await push(store, A1))
    store.corrupt = "b.sh"
    held = await synced.apply(await push(store, A2, B))
    assert held.version == 1
    assert [p.split(": ")[1] for p in held.problems if p.startswith("b.sh")] == [
        "checksum mismatch"
    ]
    assert (tmp_path / "sync/web/etc/a.conf").read_bytes() == A1.data
    assert not (tmp_path / "sync/web/b.sh").exists()


async def test_reports_drift_and_mends_it(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """Changed, lost and re-moded files are found without writing, and mended by applying."""
    version = await push(store, A1, B, NewFile("c", b"c"))
    await synced.apply(version)
    folder = tmp_path / "sync" / "web"
    (folder / "etc/a.conf").write_text("edited")
    (folder / "b.sh").chmod(0o600)
    (folder / "c").unlink()
    held = await synced.report(version)
    assert held.version is None
    assert states(held) == {"etc/a.conf": "changed", "b.sh": "changed", "c": "missing"}
    assert (folder / "etc/a.conf").read_text() == "edited"
    assert (await synced.apply(version)).version == 1
    assert (await synced.report(version)).version == 1


async def test_rewrites_when_forced(store: Corrupting, synced: SyncedBundles) -> None:
    """Forced, every file is written, right or not."""
    version = await push(store, A1, B)
    await synced.apply(version)
    held = await synced.apply(version, rewrite=True)
    assert set(states(held).values()) == {"written"}


async def test_never_leads_out_of_its_directory(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """A directory replaced by a link to elsewhere is refused; a link in a file's place is
    replaced itself."""
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "sync" / "web"
    folder.mkdir(parents=True)
    (folder / "etc").symlink_to(outside)
    held = await synced.apply(await push(store, A1))
    assert held.version is None
    assert "leads out" in held.problems[0]
    assert list(outside.iterdir()) == []
    (folder / "etc").unlink()
    (folder / "etc").mkdir()
    (outside / "secret").write_text("keep")
    (folder / "etc/a.conf").symlink_to(outside / "secret")
    assert (await synced.apply(await push(store, A1))).version == 1
    assert (outside / "secret").read_text() == "keep"


async def test_something_in_the_way_is_told(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """A directory where a file should be is a problem, not a crash."""
    (tmp_path / "sync/web/b.sh").mkdir(parents=True)
    held = await synced.apply(await push(store, B))
    assert held.version is None
    assert held.problems


async def test_a_crash_midway_is_mended(
    tmp_path: Path, store: Corrupting, synced: SyncedBundles
) -> None:
    """After a crash between ledger and files the next version still removes what was ours."""
    await synced.apply(await push(store, B))
    ledger = tmp_path / "sync/web.json"
    ledger.write_text('{"applied": null, "paths": ["b.sh", "etc/a.conf"]}')
    assert synced.known() == {"web": None}
    held = await synced.apply(await push(store, A1))
    assert (held.version, states(held)["b.sh"]) == (2, "removed")


async def test_checksums_are_sha256(store: Corrupting, synced: SyncedBundles) -> None:
    """What is reported is the checksum of what is on the disk."""
    held = await synced.apply(await push(store, A1))
    assert held.files[0].sha256 == hashlib.sha256(A1.data).hexdigest()
