"""Opening files within the roots of a policy, with no gap between the check and the use.

Theory of operation: the path is resolved once and checked against the roots. Then its directory is
opened component by component from `/`, each step relative to the one before and refusing symbolic
links. Whoever replaces a directory by a link in between makes the walk fail; they cannot lead it
elsewhere. Everything after that is done relative to the open directory, never by path.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from services.executor.commands.base import Failed
from services.executor.commands.refusal import refused
from services.executor.policy import Policy, Refused

PARENT_MODE = 0o755
"""Mode of directories that are made above a file."""

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

# O_PATH (Linux) passes through directories that the agent may enter but not list.
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_FAILURES: dict[int, tuple[str, str, bool]] = {
    errno.ENOENT: ("not_found", "does not exist", False),
    errno.ENOTDIR: ("not_found", "lies under something that is not a directory", False),
    errno.EACCES: ("permission_denied", "the agent's user lacks the permission", False),
    errno.EPERM: ("permission_denied", "the agent's user lacks the permission", False),
    errno.EISDIR: ("not_a_file", "is a directory", False),
    errno.ENXIO: ("not_a_file", "is not a regular file", False),
    errno.ELOOP: (
        "changed_meanwhile",
        "leads in a circle, or was replaced by a link meanwhile",
        True,
    ),
    errno.ENAMETOOLONG: ("invalid_path", "is too long a name for this file system", False),
    errno.ENOSPC: ("disk_full", "the disk is full; nothing was changed", True),
    errno.EDQUOT: ("disk_full", "the disk quota is used up; nothing was changed", True),
    errno.EFBIG: ("too_large", "is larger than the agent's limit for a file", False),
    errno.EROFS: ("read_only", "lies on a read-only file system", False),
    errno.EIO: ("io_error", "the disk reported an error", True),
    errno.EMFILE: ("too_many_files", "the agent has too many open files", True),
    errno.ENFILE: ("too_many_files", "the host has too many open files", True),
}


class FileError(Exception):
    """An operation on a file failed; `failed` is the outcome to return."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        # A name that is no UTF-8 could not be told to anybody.
        message = failed.message.encode("utf-8", "backslashreplace").decode()
        self.failed = replace(failed, message=message)

    @classmethod
    def of(cls, error: OSError, path: Path) -> "FileError":
        """What an error of the operating system means for this path."""
        unknown = ("io_error", error.strerror or type(error).__name__, False)
        code, reason, retryable = _FAILURES.get(error.errno or 0, unknown)
        return cls(Failed(code, f"'{path}': {reason}", retryable))


@dataclass(frozen=True)
class Place:
    """A name in an open directory. `path` is only for people; use `directory_fd` and `name`."""

    directory_fd: int
    name: str
    path: Path

    def stat(self) -> os.stat_result | None:
        """What is there, symbolic links not followed; None if nothing is."""
        try:
            return os.stat(self.name, dir_fd=self.directory_fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_regular(self) -> int | None:
        """A descriptor for reading; None if there is nothing. Raises FileError if it is no file."""
        # Without O_NONBLOCK the opening of a named pipe would wait for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(self.name, flags, dir_fd=self.directory_fd)
        except FileNotFoundError:
            return None
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        raise FileError(Failed("not_a_file", f"'{self.path}' is not a regular file"))


@contextlib.contextmanager
def within_roots(
    text: str,
    policy: Policy,
    workdir: Path,
    *,
    follow_last: bool = True,
    create_parents: bool = False,
) -> Iterator[Place]:
    """The place that a path names, opened. Raises FileError.

    `follow_last`: whether a symbolic link at the end stands for its target or for itself.
    """
    given = Path(text)
    if ".." in given.parts:
        raise FileError(
            refused(
                Refused(
                    "roots: '..' in a path",
                    f"'{text}' goes up with '..'",
                    "give the path without '..'",
                )
            )
        )
    path = workdir / given
    try:
        resolved = Path(os.path.realpath(path if follow_last else path.parent))
        resolved = resolved if follow_last else resolved / path.name
        _check(resolved, policy)
        directory = _open_directory(resolved.parent, create_parents)
    except OSError as error:
        raise FileError.of(error, path) from error
    try:
        yield Place(directory, resolved.name, resolved)
    except OSError as error:
        raise FileError.of(error, resolved) from error
    finally:
        os.close(directory)


def _check(resolved: Path, policy: Policy) -> None:
    decision = policy.path(resolved)
    if isinstance(decision, Refused):
        raise FileError(refused(decision))
    if any(resolved == root.resolve() for root in policy.roots):
        raise FileError(Failed("not_a_file", f"'{resolved}' is a root itself, not a file in it"))


def _open_directory(directory: Path, create: bool) -> int:
    current = os.open("/", _STEP)
    for part in directory.parts[1:]:
        above = current
        try:
            current = _enter(above, part, create)
        finally:
            os.close(above)
    try:
        return os.open(".", _READ, dir_fd=current)
    finally:
        os.close(current)


def _enter(above: int, part: str, create: bool) -> int:
    try:
        return os.open(part, _STEP, dir_fd=above)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, PARENT_MODE, dir_fd=above)
    sync_directory(above)
    return os.open(part, _STEP, dir_fd=above)


def sync_directory(directory_fd: int) -> None:
    """Make what was created, renamed or removed in the directory survive a power loss."""
    fd = os.open(".", _READ, dir_fd=directory_fd)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
