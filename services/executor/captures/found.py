"""What is at a path: as it is kept before a change, and as it is compared afterwards.

Everything here blocks, so it runs in a thread. Paths are opened within the roots of the agent's
policy (`containment`): no symbolic link leads out of them. Kept of a file are content, mode, owner
and absence; times, extended attributes and hard links are not.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.executor.commands.base import ChangedPath, Failed
from services.executor.commands.containment import FileError, Place, within_roots
from services.executor.commands.drafts import chunks_of
from services.executor.policy import Policy
from shared.contracts.captures import ITEMS_LIMIT, FileItem, Owner, OwnPath

PATHS_BYTES: Final = 1024 * 1024
"""Most bytes of all paths of one capture, so that its manifest fits into a message."""
DEPTH_LIMIT: Final = 64
"""Most directories above each other that are kept with what is in them."""

_LIST: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TooLargeError(Exception):
    """More than may be kept before one step; the message says of what."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes of one file, and of all files that are kept before one step."""

    file_bytes: int
    capture_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """What is at one path. `data` is the content of a regular file; the item says nothing of where
    that is kept."""

    item: FileItem
    data: bytes | None = None


@dataclass(slots=True)
class Finder:
    """Finds what is at paths, within the bounds of one capture; the contents only if they are to be
    kept."""

    policy: Policy
    workdir: Path
    limits: Limits
    keep_data: bool = True
    _bytes: int = field(default=0, init=False)
    _items: int = field(default=0, init=False)
    _path_bytes: int = field(default=0, init=False)

    def find(self, changed: ChangedPath) -> list[Found]:
        """What a run may change at this path. Raises `FileError` where the run would fail as well,
        and `TooLargeError`."""
        try:
            with within_roots(
                changed.path, self.policy, self.workdir, follow_last=changed.follow
            ) as place:
                if changed.tree:
                    return list(self._tree(place, 0))
                there = place.stat()
                if there is not None and not _can_be_kept(there):
                    return []  # a directory, a device: the run refuses it
                return [self._at(place)]
        except FileError as error:
            if error.failed.code != "not_found" or not (changed.parents or changed.tree):
                raise
            missing = self._missing(changed)
            if not missing:
                raise
            return missing

    def _missing(self, changed: ChangedPath) -> list[Found]:
        """The path and every directory above it that is not there; nothing where something else
        stands in the way."""
        given = self.workdir / changed.path
        last = given if changed.follow else given.parent
        real = Path(os.path.realpath(last)) / ("" if changed.follow else given.name)
        above = next(parent for parent in real.parents if parent.is_dir())
        missing = [above / part for part in _each(real.relative_to(above))]
        with within_roots(str(missing[0]), self.policy, self.workdir, follow_last=False) as top:
            if top.stat() is not None:
                return []
        return [
            self._count(FileItem(path=_path(path), was="absent", whole=changed.tree))
            for path in missing
        ]

    def _at(self, place: Place) -> Found:
        status = place.stat()
        path = _path(place.path)
        if status is None:
            return self._count(FileItem(path=path, was="absent"))
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(os.fsencode(place.name), dir_fd=place.directory_fd)
            link = OwnPath.of(target)
            return self._count(
                FileItem(path=path, owner=_owner(status), was="symlink", target=link)
            )
        if stat.S_ISDIR(status.st_mode):
            directory = FileItem(
                path=path, owner=_owner(status), was="directory", mode=_mode(status)
            )
            return self._count(directory)
        return self._regular(place, path)

    def _regular(self, place: Place, path: OwnPath) -> Found:
        fd = place.open_regular()
        if fd is None:
            return self._count(FileItem(path=path, was="absent"))
        try:
            data, size, sha256 = self._read(fd, path)
            status = os.fstat(fd)
        finally:
            os.close(fd)
        item = FileItem(
            path=path,
            was="file",
            mode=_mode(status),
            owner=_owner(status),
            bytes=size,
            sha256=sha256,
        )
        return self._count(item, data)

    def _read(self, fd: int, path: OwnPath) -> tuple[bytes, int, str]:
        """Content (empty where it is not kept), size and checksum."""
        parts: list[bytes] = []
        size = 0
        digest = hashlib.sha256()
        for chunk in chunks_of(fd):
            digest.update(chunk)
            size += len(chunk)
            self._bytes += len(chunk)
            if size > self.limits.file_bytes:
                raise TooLargeError(f"'{path.text}' has more than {self.limits.file_bytes} bytes")
            if self._bytes > self.limits.capture_bytes:
                most = self.limits.capture_bytes
                raise TooLargeError(f"the files have more than {most} bytes together")
            if self.keep_data:
                parts.append(chunk)
        return b"".join(parts), size, digest.hexdigest()

    def _tree(self, place: Place, depth: int) -> Iterator[Found]:
        status = place.stat()
        if status is not None and not _can_be_kept(status) and not stat.S_ISDIR(status.st_mode):
            message = f"'{place.path}' is neither file, directory nor symbolic link"
            raise FileError(Failed("cannot_be_kept", message))
        found = self._at(place)
        yield Found(found.item.model_copy(update={"whole": True}), found.data)
        if found.item.was != "directory":
            return
        if depth >= DEPTH_LIMIT:
            raise TooLargeError(f"'{place.path}' is deeper than {DEPTH_LIMIT} directories")
        fd = os.open(place.name, _LIST, dir_fd=place.directory_fd)
        try:
            for name in sorted(os.listdir(fd)):  # noqa: PTH208 - a descriptor, not a path
                yield from self._tree(Place(fd, name, place.path / name), depth + 1)
        finally:
            os.close(fd)

    def _count(self, item: FileItem, data: bytes | None = None) -> Found:
        self._items += 1
        if self._items > ITEMS_LIMIT:
            raise TooLargeError(f"there are more than {ITEMS_LIMIT} paths")
        named = [item.path, *([item.target] if item.target is not None else [])]
        self._path_bytes += sum(len(one.to_bytes()) for one in named)
        if self._path_bytes > PATHS_BYTES:
            raise TooLargeError(f"the paths have more than {PATHS_BYTES} bytes together")
        return Found(item, data)


def _can_be_kept(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)


def _each(relative: Path) -> Iterator[Path]:
    """`a`, `a/b`, `a/b/c` of `a/b/c`."""
    parts = relative.parts
    return (Path(*parts[: n + 1]) for n in range(len(parts)))


def _path(path: Path) -> OwnPath:
    return OwnPath.of(os.fsencode(path))


def _mode(status: os.stat_result) -> str:
    return f"0{stat.S_IMODE(status.st_mode):03o}"


def _owner(status: os.stat_result) -> Owner:
    try:
        user = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        user = ""
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = ""
    return Owner(uid=status.st_uid, gid=status.st_gid, user=user, group=group)
