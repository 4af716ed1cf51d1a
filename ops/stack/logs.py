"""Read the services' log files as they grow."""

from collections.abc import Iterator
from pathlib import Path

from ops.stack.layout import Layout

_MAX_READ_BYTES = 256 * 1024


class Follower:
    """Gives the complete lines that were added to a file since the last look; survives rotation and
    a late start.
    """

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        """Begin at the file's end, or at its start."""
        self.path = path
        self._offset = path.stat().st_size if path.exists() and not from_start else 0
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Yield the new lines, at most a quarter of a mebibyte; a line break completes one."""
        if not self.path.exists():
            return
        if self.path.stat().st_size < self._offset:
            self._offset, self._rest = 0, b""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read(_MAX_READ_BYTES)
        self._offset += len(data)
        *complete, self._rest = (self._rest + data).split(b"\n")
        for line in complete:
            yield line.decode("utf-8", errors="replace")


def services_with_logs(layout: Layout) -> list[str]:
    """Return the names for which a log exists, sorted."""
    return sorted(path.stem for path in layout.logs.glob("*.log"))
