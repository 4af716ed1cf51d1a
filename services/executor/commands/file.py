"""`file`: reads and changes single files within the agent's roots.

Everything here blocks, so it runs in a thread. Between chunks it looks whether it is to stop;
until a draft takes its file's place nothing has changed.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from services.executor.commands.base import (
    ChangedPath,
    Changes,
    CommandContext,
    Completed,
    Failed,
    Outcome,
    StopProof,
)
from services.executor.commands.containment import FileError, Place, sync_directory, within_roots
from services.executor.commands.drafts import Write, chunks_of, draft
from services.executor.commands.file_content import decoded, encoded, filled
from services.executor.commands.interruption import Interruption, interrupted
from shared.commands.file import CONTENT_LIMIT, SPEC, FileOperation, FileOutput, FileParameters
from shared.commands.spec import CommandSpec

NEW_FILE_MODE = 0o644
"""Mode of a new file for which none is given."""

PERMISSION_BITS = 0o777
"""What new content may keep of a mode: not setuid and setgid, which were given to the old one."""

FILE_LIMIT_BYTES = 1024 * 1024 * 1024
"""Largest file that is copied or checked, in bytes."""

RESERVED_BYTES = 4096
"""Part of the output limit that is kept for everything but the content."""


class _StoppedError(Exception):
    """The command was cancelled or its time is up."""

    def __init__(self, why: Interruption) -> None:
        super().__init__(why)
        self.why = why


class FileCommand:
    """Works on files. `write` stands for os.write."""

    spec: CommandSpec = SPEC
    parameters: type[BaseModel] = FileParameters

    def __init__(self, write: Write = os.write) -> None:
        self._write = write

    async def changes(self, params: FileParameters, _context: CommandContext) -> Changes:
        """The file; what lies in the attempt's own directory goes with it anyway."""
        if not Path(params.path).is_absolute():
            return Changes()
        changed = ChangedPath(
            params.path,
            follow=params.operation is not FileOperation.DELETE,
            parents=params.create_parents,
        )
        return Changes(paths=(changed,))

    async def run(self, params: FileParameters, context: CommandContext) -> Outcome:
        """Do the one operation."""
        work = _Work(params, context, self._write, _end_of(context))
        return await asyncio.to_thread(work.perform)


@dataclass(frozen=True)
class _Existing:
    """The file before the operation."""

    sha256: str
    status: os.stat_result

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self.status.st_mode)


@dataclass(frozen=True)
class _Work:
    """One operation; lives in one thread. `end_s` is the deadline on the monotonic clock."""

    params: FileParameters
    context: CommandContext
    write: Write
    end_s: float | None

    def perform(self) -> Outcome:
        operations: dict[FileOperation, Callable[[], FileOutput]] = {
            FileOperation.READ: self.read,
            FileOperation.WRITE: self.put,
            FileOperation.TEMPLATE: self.put,
            FileOperation.COPY: self.copy,
            FileOperation.CHECKSUM: self.checksum,
            FileOperation.PERMISSIONS: self.permissions,
            FileOperation.DELETE: self.delete,
            FileOperation.STAT: self.stat,
        }
        try:
            output = operations[self.params.operation]()
        except FileError as error:
            return error.failed
        except _StoppedError as error:
            return interrupted(error.why, StopProof(True, "nothing was changed"))
        return Completed(output.model_dump(mode="json"))

    def read(self) -> FileOutput:
        limit = self.context.output_limit_bytes - RESERVED_BYTES
        with self._place() as place:
            data, existing = self._load(place, limit)
            content = encoded(data, self.params.encoding, place.path)
            if len(json.dumps(content, ensure_ascii=False).encode()) > limit:
                raise FileError(_too_large(place, limit))
            return _output(place, existing, changed=False, content=content)

    def put(self) -> FileOutput:
        """Write given or filled-in content."""
        data = self._content()
        wanted = hashlib.sha256(data).hexdigest()
        with self._place(create_parents=self.params.create_parents) as place:
            existing = self._examine(place)
            mode = self._mode(existing)
            if existing and (existing.sha256, existing.mode) == (wanted, mode):
                return _output(place, existing, changed=False)
            return self._replace(place, existing, [data], mode)

    def copy(self) -> FileOutput:
        with (
            self._place(self.params.source) as source,
            self._place(create_parents=self.params.create_parents) as place,
        ):
            fd = source.open_regular()
            if fd is None:
                raise FileError(_not_found(source))
            try:
                existing = self._examine(place)
                mode = self._mode(existing)
                return self._replace(place, existing, self._bounded(fd, source), mode)
            finally:
                os.close(fd)

    def checksum(self) -> FileOutput:
        with self._place() as place:
            return _output(place, self._required(place), changed=False)

    def permissions(self) -> FileOutput:
        with self._place() as place:
            existing = self._required(place)
            wanted = self._mode(existing)
            fd = place.open_regular()
            if fd is None:
                raise FileError(_not_found(place))
            try:
                os.fchmod(fd, wanted)
                os.fsync(fd)
                after = _Existing(existing.sha256, os.fstat(fd))
            finally:
                os.close(fd)
            return _output(place, after, existing.mode != wanted, previous=existing)

    def delete(self) -> FileOutput:
        try:
            with self._place(follow_last=False) as place:
                return self._remove(place)
        except FileError as error:
            return self._absent(error)

    def stat(self) -> FileOutput:
        try:
            with self._place() as place:
                status = place.stat()
                if status is None:
                    return FileOutput(path=str(place.path), exists=False, changed=False)
                return _status_output(place, status)
        except FileError as error:
            return self._absent(error)

    def _remove(self, place: Place) -> FileOutput:
        status = place.stat()
        if status is None:
            return FileOutput(path=str(place.path), exists=False, changed=False)
        if stat.S_ISDIR(status.st_mode):
            raise FileError(Failed("not_a_file", f"'{place.path}' is a directory"))
        is_link = stat.S_ISLNK(status.st_mode)
        previous = None if is_link else self._required(place).sha256
        os.unlink(place.name, dir_fd=place.directory_fd)
        sync_directory(place.directory_fd)
        return FileOutput(
            path=str(place.path), exists=False, changed=True, previous_sha256=previous
        )

    def _absent(self, error: FileError) -> FileOutput:
        """A path in a directory that does not exist does not exist either."""
        if error.failed.code != "not_found":
            raise error
        path = self.context.workdir / self.params.path
        return FileOutput(path=str(path), exists=False, changed=False)

    def _replace(
        self, place: Place, existing: _Existing | None, chunks: Iterable[bytes], mode: int
    ) -> FileOutput:
        with draft(place, self.write) as new:
            new.write(chunks)
            if existing and (existing.sha256, existing.mode) == (new.sha256, mode):
                return _output(place, existing, changed=False)
            self._stop_if_asked()
            mode &= PERMISSION_BITS
            new.commit(mode, existing.status if existing else None)
            return FileOutput(
                path=str(place.path),
                exists=True,
                changed=True,
                bytes=new.size,
                sha256=new.sha256,
                previous_sha256=existing.sha256 if existing else None,
                mode=f"{mode:04o}",
            )

    def _place(
        self, path: str | None = None, *, follow_last: bool = True, create_parents: bool = False
    ) -> contextlib.AbstractContextManager[Place]:
        return within_roots(
            path or self.params.path,
            self.context.policy,
            self.context.workdir,
            follow_last=follow_last,
            create_parents=create_parents,
        )

    def _mode(self, existing: _Existing | None) -> int:
        if self.params.mode is not None:
            return int(self.params.mode, 8)
        return existing.mode if existing else NEW_FILE_MODE

    def _required(self, place: Place) -> _Existing:
        existing = self._examine(place)
        if existing is None:
            raise FileError(_not_found(place))
        return existing

    def _examine(self, place: Place) -> _Existing | None:
        fd = place.open_regular()
        if fd is None:
            return None
        try:
            digest = hashlib.sha256()
            for chunk in self._bounded(fd, place):
                digest.update(chunk)
            return _Existing(digest.hexdigest(), os.fstat(fd))
        finally:
            os.close(fd)

    def _load(self, place: Place, limit: int) -> tuple[bytes, _Existing]:
        fd = place.open_regular()
        if fd is None:
            raise FileError(_not_found(place))
        try:
            data = b"".join(self._bounded(fd, place, limit))
            return data, _Existing(hashlib.sha256(data).hexdigest(), os.fstat(fd))
        finally:
            os.close(fd)

    def _bounded(self, fd: int, place: Place, limit: int = FILE_LIMIT_BYTES) -> Iterator[bytes]:
        total = 0
        for chunk in chunks_of(fd):
            self._stop_if_asked()
            total += len(chunk)
            if total > limit:
                raise FileError(_too_large(place, limit))
            yield chunk

    def _content(self) -> bytes:
        if self.params.operation is not FileOperation.TEMPLATE:
            return decoded(self.params.content or "", self.params.encoding)
        if self.params.source is None:
            return filled(self.params.content or "", self.params.values)
        with self._place(self.params.source) as place:
            data, _ = self._load(place, CONTENT_LIMIT)
            return filled(encoded(data, "utf-8", place.path), self.params.values)

    def _stop_if_asked(self) -> None:
        if self.context.cancelled.is_set():
            raise _StoppedError(Interruption.CANCELLED)
        if self.end_s is not None and time.monotonic() > self.end_s:
            raise _StoppedError(Interruption.TIMED_OUT)


def _end_of(context: CommandContext) -> float | None:
    return None if context.deadline_s is None else time.monotonic() + context.deadline_s


def _output(
    place: Place,
    existing: _Existing,
    changed: bool,
    *,
    previous: _Existing | None = None,
    content: str | None = None,
) -> FileOutput:
    return FileOutput(
        path=str(place.path),
        exists=True,
        changed=changed,
        bytes=existing.status.st_size,
        sha256=existing.sha256,
        previous_sha256=(previous or existing).sha256,
        mode=f"{existing.mode:04o}",
        content=content,
    )


def _status_output(place: Place, status: os.stat_result) -> FileOutput:
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    is_file, is_directory = stat.S_ISREG(status.st_mode), stat.S_ISDIR(status.st_mode)
    return FileOutput(
        path=str(place.path),
        exists=True,
        changed=False,
        bytes=status.st_size if is_file else None,
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        kind="file" if is_file else "directory" if is_directory else "other",
        modified_at=modified_at.isoformat().replace("+00:00", "Z"),
    )


def _not_found(place: Place) -> Failed:
    return Failed("not_found", f"'{place.path}' does not exist")


def _too_large(place: Place, limit: int) -> Failed:
    return Failed("too_large", f"'{place.path}' is larger than {limit} bytes")
