"""Whether what is at a path is still, or again, what was kept of it.

Everything here blocks. A path is opened within the roots of the agent's policy and must lead where
it led when it was kept: directories that were replaced by symbolic links are not followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from services.executor.commands.base import Failed
from services.executor.commands.containment import FileError, Place, within_roots
from services.executor.commands.drafts import chunks_of
from services.executor.policy import Policy
from shared.contracts.captures import FileItem, Owner, OwnPath

LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Comparison:
    """Compares the items of one manifest with what is there."""

    def __init__(self, policy: Policy, items: Sequence[FileItem]) -> None:
        self._policy = policy
        self._paths = {item.path.to_bytes() for item in items}

    @contextlib.contextmanager
    def place(self, item: FileItem, *, create_parents: bool = False) -> Iterator[Place]:
        """The item's path, opened. Raises `FileError`."""
        path = real_path(item.path)
        with within_roots(
            str(path),
            self._policy,
            Path("/"),
            follow_last=False,
            create_parents=create_parents,
        ) as place:
            if place.path != path:
                message = f"'{path}' leads elsewhere now: to '{place.path}'"
                raise FileError(Failed("leads_elsewhere", message))
            yield place

    def differences(self, item: FileItem) -> tuple[str, ...]:
        """In what the path differs from what was kept of it. Raises `FileError`."""
        try:
            with self.place(item) as place:
                return self._differences(item, place)
        except FileError as error:
            if error.failed.code != "not_found":
                raise
            return () if item.was == "absent" else ("kind",)

    def extras(self, item: FileItem, place: Place) -> list[bytes]:
        """Names in a directory that was kept as a whole, of what came later."""
        fd = os.open(place.name, LISTED, dir_fd=place.directory_fd)
        try:
            names = [os.fsencode(name) for name in os.listdir(fd)]  # noqa: PTH208 - a descriptor
        finally:
            os.close(fd)
        above = item.path.to_bytes()
        return sorted(name for name in names if above + b"/" + name not in self._paths)

    def _differences(self, item: FileItem, place: Place) -> tuple[str, ...]:
        status = place.stat()
        if _kind(status) != item.was:
            return ("kind",)
        if status is None:
            return ()
        found = []
        if item.was == "file" and _checksum(place, status, item) != item.sha256:
            found.append("content")
        if item.was == "symlink":
            target = os.readlink(os.fsencode(place.name), dir_fd=place.directory_fd)
            found += [] if item.target is None or target == item.target.to_bytes() else ["target"]
        if item.mode is not None and stat.S_IMODE(status.st_mode) != int(item.mode, 8):
            found.append("mode")
        if item.owner is not None and not owned(status, item.owner):
            found.append("owner")
        if item.was == "directory" and item.whole and self.extras(item, place):
            found.append("extra")
        return tuple(found)


def real_path(path: OwnPath) -> Path:
    """A path of the manifest, as Python has it."""
    return Path(os.fsdecode(path.to_bytes()))


def owned(status: os.stat_result, owner: Owner) -> bool:
    """Whether it belongs to this user and group."""
    return (status.st_uid, status.st_gid) == (owner.uid, owner.gid)


def _kind(status: os.stat_result | None) -> str:
    if status is None:
        return "absent"
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
    return kinds.get(stat.S_IFMT(status.st_mode), "other")


def _checksum(place: Place, status: os.stat_result, item: FileItem) -> str | None:
    """Of the content; None where it has another size, or cannot be read."""
    if status.st_size != item.bytes:
        return None
    try:
        fd = place.open_regular()
    except PermissionError:
        return None
    if fd is None:
        return None
    try:
        digest = hashlib.sha256()
        for chunk in chunks_of(fd):
            digest.update(chunk)
        return digest.hexdigest()
    finally:
        os.close(fd)
