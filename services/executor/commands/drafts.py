"""Replacing a file atomically: a draft takes the file's place, or disappears.

Theory of operation: the draft is a file without a name (O_TMPFILE), so that whatever kills the
agent while it writes, the kernel removes it. It gets a name beside the file only when it is whole
and on the disk, and the next call renames it over the file. Where the file system has no nameless
files, the draft has that name from the beginning, and a crash may leave it behind.
"""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from services.executor.commands.containment import Place, sync_directory

CHUNK_BYTES = 1_048_576
"""Bytes read or written at a time; between two of them cancellation is noticed."""

MODE = 0o600
"""Mode of a draft until it is whole."""

_OPEN_FILES = "/proc/self/fd/"
"""Where an open file can be found, to give it a name."""

Write = Callable[[int, bytes], int]
"""os.write, or what stands for it in a test: descriptor, data; bytes written."""


class Owned(Protocol):
    """What has an owner, such as what `os.stat` gives."""

    @property
    def st_uid(self) -> int:
        """The user."""
        ...

    @property
    def st_gid(self) -> int:
        """The group."""
        ...


class Draft:
    """A file being written beside the one it is to replace; `sha256` is of what it has so far."""

    def __init__(self, place: Place, write: Write) -> None:
        self._place = place
        self._write = write
        self._digest = hashlib.sha256()
        self._name = f".hive-{secrets.token_hex(8)}.draft"
        self.size = 0
        nameless = _open_nameless(place.directory_fd)
        self._named = nameless is None
        self._fd = self._open_named() if nameless is None else nameless

    @property
    def sha256(self) -> str:
        """Checksum in hex."""
        return self._digest.hexdigest()

    def write(self, chunks: Iterable[bytes]) -> None:
        """Append. Raises OSError, for example when the disk is full."""
        for chunk in chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
            rest = chunk
            while rest:
                rest = rest[self._write(self._fd, rest) :]

    def commit(self, mode: int, replaced: Owned | None) -> None:
        """Take the file's place with this mode, and with the owner of the file that was there."""
        if replaced:
            # Only root may give files away; for others the new file is simply theirs.
            with contextlib.suppress(PermissionError):
                os.fchown(self._fd, replaced.st_uid, replaced.st_gid)
        os.fchmod(self._fd, mode)
        os.fsync(self._fd)
        directory = self._place.directory_fd
        if not self._named:
            os.link(_OPEN_FILES + str(self._fd), self._name, dst_dir_fd=directory)
            self._named = True
        os.rename(self._name, self._place.name, src_dir_fd=directory, dst_dir_fd=directory)
        self._named = False
        sync_directory(directory)

    def close(self) -> None:
        """Close; what was not committed is gone then."""
        os.close(self._fd)
        if self._named:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._place.directory_fd)

    def _open_named(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._name, flags, MODE, dir_fd=self._place.directory_fd)


def _open_nameless(directory_fd: int) -> int | None:
    """A new file of this directory that has no name yet; None where there are none."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not os.path.isdir(_OPEN_FILES):  # noqa: PTH112 - a constant, not a path
        return None
    try:
        return os.open(".", os.O_WRONLY | os.O_CLOEXEC | flag, MODE, dir_fd=directory_fd)
    except OSError as error:
        # What an old kernel or another file system says; all else the named draft meets again.
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return None
        raise


@contextlib.contextmanager
def draft(place: Place, write: Write = os.write) -> Iterator[Draft]:
    """A draft that is gone at the end of the block unless it was committed. Raises OSError."""
    opened = Draft(place, write)
    try:
        yield opened
    finally:
        opened.close()


def chunks_of(fd: int) -> Iterator[bytes]:
    """The rest of an open file."""
    while chunk := os.read(fd, CHUNK_BYTES):
        yield chunk
