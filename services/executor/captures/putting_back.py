"""Putting files back as they were kept.

The law:

* Only what differs is touched. Every file is replaced in one step, with content, mode and owner, or
  not at all; it can be run again wherever it ended.
* First the directories that are missing, then what is in them, then what came later is removed, the
  deepest first, and last directories get their modes.
* Removed is only what was kept as absent, or found in a directory that was kept as a whole. A
  directory that was made on the way to a file is removed once it is empty.
* A path that cannot be put back does not keep the others from it; it is told with the reason.

Everything here blocks, so it runs in a thread.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.executor.captures.comparing import LISTED, Comparison, real_path
from services.executor.commands.base import Failed
from services.executor.commands.containment import FileError, Place, sync_directory
from services.executor.commands.drafts import draft
from shared.contracts.captures import FileItem, Owner, OwnPath

DEPTH_LIMIT: Final = 256
"""Most directories above each other that are removed with what is in them."""
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True)
class _Owned:
    """Whose a draft becomes."""

    st_uid: int
    st_gid: int


@dataclass(slots=True)
class PutBack:
    """One run. `contents` has the bytes of every file that differs; `problems` is why some path
    was not put back."""

    comparison: Comparison
    contents: Mapping[OwnPath, bytes]
    stopped: Callable[[], bool]
    problems: dict[OwnPath, str] = field(default_factory=dict)

    def run(self, differing: Sequence[FileItem]) -> None:
        """Put these back, until it is told to stop."""
        by_depth = sorted(differing, key=_depth)
        deepest_first = by_depth[::-1]
        directories = [item for item in by_depth if item.was == "directory"]
        wanted = [item for item in by_depth if item.was in ("file", "symlink")]
        self._each(directories, self._make_directory)
        self._each(wanted, self._put)
        self._each([item for item in directories if item.whole], self._remove_extras)
        self._each([item for item in deepest_first if item.was == "absent"], self._remove)
        self._each(directories[::-1], self._finish_directory)

    def _each(self, items: Sequence[FileItem], act: Callable[[FileItem], None]) -> None:
        for item in items:
            if self.stopped():
                return
            try:
                act(item)
            except FileError as error:
                self.problems[item.path] = error.failed.message

    def _make_directory(self, item: FileItem) -> None:
        with self.comparison.place(item, create_parents=True) as place:
            status = place.stat()
            if status is not None and stat.S_ISDIR(status.st_mode):
                return
            if status is not None:
                os.unlink(place.name, dir_fd=place.directory_fd)
            os.mkdir(place.name, _PRIVATE, dir_fd=place.directory_fd)
            sync_directory(place.directory_fd)

    def _put(self, item: FileItem) -> None:
        with self.comparison.place(item, create_parents=True) as place:
            status = place.stat()
            if status is not None and stat.S_ISDIR(status.st_mode):
                _clear(place, item)
            if item.was == "symlink":
                _link(place, item)
            else:
                self._replace(place, item)

    def _replace(self, place: Place, item: FileItem) -> None:
        mode = int(item.mode or "0600", 8)
        owner = item.owner
        if owner is not None and not _may_give(owner):
            mode &= 0o777  # what ran as somebody else must not run as this user
        with draft(place) as new:
            new.write([self.contents.get(item.path, b"")])
            new.commit(mode, _Owned(owner.uid, owner.gid) if owner is not None else None)

    def _remove_extras(self, item: FileItem) -> None:
        with self.comparison.place(item) as place:
            extras = self.comparison.extras(item, place)
            if not extras:
                return
            fd = os.open(place.name, LISTED, dir_fd=place.directory_fd)
            try:
                for name in extras:
                    _remove_all(fd, os.fsdecode(name), 0)
                sync_directory(fd)
            finally:
                os.close(fd)

    def _remove(self, item: FileItem) -> None:
        try:
            with self.comparison.place(item) as place:
                status = place.stat()
                if status is None:
                    return
                if stat.S_ISDIR(status.st_mode):
                    _clear(place, item)
                else:
                    os.unlink(place.name, dir_fd=place.directory_fd)
                sync_directory(place.directory_fd)
        except FileError as error:
            if error.failed.code != "not_found":
                raise

    def _finish_directory(self, item: FileItem) -> None:
        with self.comparison.place(item) as place:
            fd = os.open(place.name, LISTED, dir_fd=place.directory_fd)
            try:
                if item.owner is not None:
                    with contextlib.suppress(PermissionError):
                        os.fchown(fd, item.owner.uid, item.owner.gid)
                if item.mode is not None:
                    os.fchmod(fd, int(item.mode, 8))
            finally:
                os.close(fd)


def _clear(place: Place, item: FileItem) -> None:
    """Remove a directory from the place of something else; where it may hold what was there before,
    only if it is empty."""
    if item.whole:
        _remove_all(place.directory_fd, place.name, 0)
    else:
        os.rmdir(place.name, dir_fd=place.directory_fd)


def _link(place: Place, item: FileItem) -> None:
    """Put a symbolic link in the place of what is there."""
    if item.target is None:
        raise FileError(Failed("damaged", f"'{real_path(item.path)}': its target was not kept"))
    name = f".hive-{secrets.token_hex(8)}.draft"
    directory = place.directory_fd
    os.symlink(item.target.to_bytes(), os.fsencode(name), dir_fd=directory)
    try:
        if item.owner is not None:
            with contextlib.suppress(PermissionError):
                os.chown(
                    name, item.owner.uid, item.owner.gid, dir_fd=directory, follow_symlinks=False
                )
        os.rename(name, place.name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(name, dir_fd=directory)
        raise
    sync_directory(directory)


def _remove_all(directory_fd: int, name: str, depth: int) -> None:
    """Remove what has this name in an open directory, with all that is in it; links are not
    followed."""
    status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=directory_fd)
        return
    if depth >= DEPTH_LIMIT:
        raise FileError(Failed("too_deep", f"'{name}' is deeper than {DEPTH_LIMIT} directories"))
    fd = os.open(name, LISTED, dir_fd=directory_fd)
    try:
        for entry in os.listdir(fd):  # noqa: PTH208 - a descriptor, not a path
            _remove_all(fd, entry, depth + 1)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=directory_fd)


def _may_give(owner: Owner) -> bool:
    """Whether this process can make a file belong to that user."""
    return os.geteuid() in (0, owner.uid)


def _depth(item: FileItem) -> int:
    return item.path.to_bytes().count(b"/")
