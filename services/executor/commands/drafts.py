"""Replacing a file atomically: a draft beside it takes the file's place, or disappears."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator

from services.executor.commands.containment import Place, sync_directory

CHUNK_BYTES = 1_048_576
"""Bytes read or written at a time; between two of them cancellation is noticed."""

Write = Callable[[int, bytes], int]
"""os.write, or what stands for it in a test: descriptor, data; bytes written."""


class Draft:
    """A file being written beside the one it is to replace; `sha256` is of what it has so far."""

    def __init__(self, place: Place, write: Write) -> None:
        self._place = place
        self._write = write
        self._digest = hashlib.sha256()
        self._name = f".hive-{secrets.token_hex(8)}.draft"
        self.size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._name, flags, 0o600, dir_fd=place.directory_fd)
        self._committed = False

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

    def commit(self, mode: int, replaced: os.stat_result | None) -> None:
        """Take the file's place with this mode, and with the owner of the file that was there."""
        if replaced:
            # Only root may give files away; for others the new file is simply theirs.
            with contextlib.suppress(PermissionError):
                os.fchown(self._fd, replaced.st_uid, replaced.st_gid)
        os.fchmod(self._fd, mode)
        os.fsync(self._fd)
        directory = self._place.directory_fd
        os.rename(self._name, self._place.name, src_dir_fd=directory, dst_dir_fd=directory)
        self._committed = True
        sync_directory(directory)

    def close(self) -> None:
        """Close; remove the draft if it was not committed."""
        os.close(self._fd)
        if not self._committed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._place.directory_fd)


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
