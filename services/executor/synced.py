"""Bundles on an agent: fetched, checked, written below its data directory.

The law:
- Every content is fetched and its checksum compared before the first file is touched: a version
  that cannot be had whole changes nothing.
- A file is replaced atomically, and never outside of the bundle's own directory.
- The ledger beside the directory says which version was applied. Before files change it says which
  paths may be ours, so that a crash leaves nothing that a later version would not remove.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog
from pydantic import Field, ValidationError

from services.executor.commands.base import Failed
from services.executor.commands.containment import FileError, Place, within_roots
from services.executor.commands.drafts import chunks_of, draft
from services.executor.policy import Policy
from shared.contracts.collective import Contract
from shared.contracts.sync import BundleVersion, FileState, HeldBundle, HeldFile, SyncFile
from shared.ports.bundles import Bundles
from shared.ports.collective import CollectiveError

log = structlog.get_logger()


class Ledger(Contract):
    """What an agent knows of one bundle: the version applied last, and every path it may own."""

    applied: BundleVersion | None = None
    paths: tuple[str, ...] = Field(default=())


class SyncedBundles:
    """The bundles in one data directory."""

    def __init__(self, data_dir: Path, bundles: Bundles) -> None:
        self._folder = data_dir / "sync"
        self._policy = Policy(roots=(data_dir,))
        self._bundles = bundles
        self._writing = asyncio.Lock()

    async def apply(self, version: BundleVersion, *, rewrite: bool = False) -> HeldBundle:
        """Bring a version to the disk; gives what is there then."""
        async with self._writing:
            before = await asyncio.to_thread(self._look, version)
            wanted = [f for f in version.files if rewrite or before[f.path].state != "ok"]
            contents, failed = await self._fetch(version.bundle, wanted)
            if failed:
                return self._held(version, before | failed)
            return await asyncio.to_thread(self._write, version, contents)

    async def report(self, version: BundleVersion) -> HeldBundle:
        """What is on the disk, compared with a version."""
        async with self._writing:
            return self._held(version, await asyncio.to_thread(self._look, version))

    def known(self) -> dict[str, int | None]:
        """Every bundle with the version applied last; None if that was not finished. Blocks."""
        files = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        ledgers = {file.stem: self._ledger(file.stem) for file in files}
        return {n: kept.applied.version if kept.applied else None for n, kept in ledgers.items()}

    async def _fetch(
        self, bundle: str, wanted: list[SyncFile]
    ) -> tuple[dict[str, bytes], dict[str, HeldFile]]:
        contents: dict[str, bytes] = {}
        failed: dict[str, HeldFile] = {}
        for file in wanted:
            try:
                data = await self._bundles.read(bundle, file)
            except CollectiveError as error:
                failed[file.path] = HeldFile(path=file.path, state="failed", problem=str(error))
                continue
            checksum = hashlib.sha256(data).hexdigest()
            if checksum == file.sha256:
                contents[file.path] = data
            else:
                problem = f"checksum mismatch: expected {file.sha256}, received {checksum}"
                failed[file.path] = HeldFile(path=file.path, state="failed", problem=problem)
        return contents, failed

    def _write(self, version: BundleVersion, contents: Mapping[str, bytes]) -> HeldBundle:
        ledger = self._ledger(version.bundle)
        ours = {file.path for file in version.files}
        owned = tuple(sorted(ours | set(ledger.paths)))
        held: dict[str, HeldFile] = {}
        try:
            self._save(version.bundle, Ledger(applied=None, paths=owned))
            for path in set(ledger.paths) - ours:
                held[path] = self._remove(version.bundle, path)
            for file in version.files:
                if file.path in contents:
                    self._replace(version.bundle, file, contents[file.path])
            held |= self._look(version)
            for path in contents:
                if held[path].state == "ok":
                    held[path] = held[path].model_copy(update={"state": "written"})
            if all(h.state in ("ok", "written", "removed") for h in held.values()):
                self._save(version.bundle, Ledger(applied=version, paths=tuple(sorted(ours))))
        except FileError as error:
            held |= self._look(version)
            place = version.files[0].path if version.files else version.bundle
            held[place] = HeldFile(path=place, state="failed", problem=error.failed.message)
        return self._held(version, held)

    def _held(self, version: BundleVersion, held: Mapping[str, HeldFile]) -> HeldBundle:
        files = tuple(held[path] for path in sorted(held))
        fine = all(file.state in ("ok", "written", "removed") for file in files)
        number = version.version if fine else self._intact(version.bundle)
        return HeldBundle(bundle=version.bundle, version=number, files=files)

    def _intact(self, bundle: str) -> int | None:
        """The version applied last, if all of it is still there."""
        applied = self._ledger(bundle).applied
        if applied is None:
            return None
        fine = all(held.state == "ok" for held in self._look(applied).values())
        return applied.version if fine else None

    def _look(self, version: BundleVersion) -> dict[str, HeldFile]:
        return {file.path: self._look_at(version.bundle, file) for file in version.files}

    def _look_at(self, bundle: str, file: SyncFile) -> HeldFile:
        try:
            with self._place(bundle, file.path) as place:
                checksum, mode = _on_disk(place)
        except FileError as error:
            if error.failed.code == "not_found":
                return HeldFile(path=file.path, state="missing", problem="is not there")
            return HeldFile(path=file.path, state="failed", problem=error.failed.message)
        state: FileState = "ok"
        problem = ""
        if checksum is None:
            state, problem = "missing", "is not there"
        elif checksum != file.sha256:
            state, problem = "changed", "has another content than this version"
        elif mode != int(file.mode, 8):
            state, problem = "changed", f"has mode {mode:04o}, not {file.mode}"
        return HeldFile(path=file.path, state=state, sha256=checksum, problem=problem)

    def _replace(self, bundle: str, file: SyncFile, data: bytes) -> None:
        with self._place(bundle, file.path, create=True) as place, draft(place) as writing:
            writing.write([data])
            writing.commit(int(file.mode, 8), place.stat())

    def _remove(self, bundle: str, path: str) -> HeldFile:
        try:
            with self._place(bundle, path) as place:
                os.unlink(place.name, dir_fd=place.directory_fd)
        except FileError as error:
            if error.failed.code != "not_found":
                return HeldFile(path=path, state="failed", problem=error.failed.message)
        return HeldFile(path=path, state="removed")

    @contextlib.contextmanager
    def _place(self, bundle: str, path: str, *, create: bool = False) -> Iterator[Place]:
        folder = self._folder / bundle
        with within_roots(
            path, self._policy, folder, follow_last=False, create_parents=create
        ) as place:
            if not place.path.is_relative_to(folder.resolve()):
                message = f"'{path}' leads out of the bundle's directory"
                raise FileError(Failed("refused_by_policy", message))
            yield place

    def _ledger(self, bundle: str) -> Ledger:
        file = self._folder / f"{bundle}.json"
        try:
            return Ledger.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return Ledger()
        except ValidationError as error:
            log.warning("ledger of a bundle cannot be read", bundle=bundle, reason=str(error)[:300])
            return Ledger()

    def _save(self, bundle: str, ledger: Ledger) -> None:
        name = f"{bundle}.json"
        with (
            within_roots(name, self._policy, self._folder, create_parents=True) as place,
            draft(place) as writing,
        ):
            writing.write([ledger.model_dump_json().encode()])
            writing.commit(0o600, None)


def _on_disk(place: Place) -> tuple[str | None, int]:
    """Checksum and mode of what is there; None without a regular file."""
    there = place.stat()
    fd = place.open_regular() if there is not None else None
    if fd is None:
        return None, 0
    try:
        digest = hashlib.sha256()
        for chunk in chunks_of(fd):
            digest.update(chunk)
        return digest.hexdigest(), os.fstat(fd).st_mode & 0o777
    finally:
        os.close(fd)
