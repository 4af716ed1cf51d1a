"""Commands that wait on this machine until they are sent: a folder that only its owner can read.

Each shell appends to a file of its own (`.raw`), with what was typed as it was typed; what `hv`
itself adds (`.jsonl`) is without secrets already. A sender takes whole files, so that none is
written to while it is read: it renames a file (the shell begins a new one), sends what is in it,
and removes it unless something came in meanwhile. Two never send at once.

All files together have a bound; the oldest go first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LIMIT_BYTES: Final = 5 * 1024 * 1024
"""Of all that waits; the oldest files go first."""
FIELDS: Final = 8
"""Of a command in a `.raw` file, each followed by a NUL."""
MARK: Final = "hive1"
"""The first of them."""
_SENT: Final = "taken-"

Item = dict[str, Any]
"""A command as the gateway takes it."""


def spool_folder() -> Path:
    """Where this person's commands wait: HIVE_RECORD_SPOOL, else a folder of their state."""
    given = os.environ.get("HIVE_RECORD_SPOOL")
    if given:
        return Path(given).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "hive" / "record"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one file holds."""

    path: Path
    size: int
    items: tuple[Item, ...]


class Spool:
    """A folder of commands that wait."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def add(self, items: list[Item]) -> None:
        """Keep commands, which are without secrets, until they are sent. Raises `OSError`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"hv-{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        part = self._folder / f"{name}.part"
        text = "".join(f"{json.dumps(one)}\n" for one in items)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        part.rename(part.with_suffix(".jsonl"))

    @contextlib.contextmanager
    def sending(self) -> Iterator[bool]:
        """False where another process sends. What waits beyond the bound is removed first."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._bound()
            yield True
        finally:
            os.close(lock)

    def take(self) -> list[Batch]:
        """What waits, oldest file first; for who holds `sending`."""
        batches = []
        for path in self.waiting():
            taken = path
            if not path.name.startswith(_SENT):
                taken = path.with_name(f"{_SENT}{time.time_ns():020d}-{path.name}")
                path.rename(taken)
            data = taken.read_bytes()
            batches.append(Batch(taken, len(data), tuple(_read(taken, data))))
        return batches

    def sent(self, batch: Batch) -> None:
        """Remove what was sent. What a shell wrote into the file meanwhile stays for later."""
        rest = batch.path.read_bytes()[batch.size :]
        if rest:
            batch.path.write_bytes(rest)
        else:
            batch.path.unlink()

    def waiting(self) -> list[Path]:
        """The files that wait, the one changed longest ago first."""
        with contextlib.suppress(FileNotFoundError):
            found = [path for path in self._folder.iterdir() if path.suffix in {".raw", ".jsonl"}]
            return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
        return []

    def _bound(self) -> None:
        files = self.waiting()
        total = sum(path.stat().st_size for path in files)
        while files and total > self._limit_bytes:
            oldest = files.pop(0)
            total -= oldest.stat().st_size
            oldest.unlink()


def _read(path: Path, data: bytes) -> Iterator[Item]:
    text = data.decode("utf-8", "replace")
    if path.suffix == ".jsonl":
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)
        return
    shell = path.name.removeprefix(_SENT).lstrip("0123456789-").partition("-")[0]
    fields = text.split("\0")
    at = 0
    while at + FIELDS <= len(fields):
        if fields[at] != MARK or MARK in fields[at + 1 : at + FIELDS - 1]:
            at += 1  # a shell was killed midway; the next command begins with the mark
            continue
        yield from _of_shell(shell, fields[at + 1 : at + FIELDS])
        at += FIELDS


def _of_shell(shell: str, fields: list[str]) -> Iterator[Item]:
    item_id, began_us, took_us, ended, cwd, session, line = fields
    item: Item = {
        "id": item_id,
        "command": line,
        "session": session,
        "cwd": cwd[:1_000],
        "host": socket.gethostname()[:200],
        "osuser": os.environ.get("USER", "")[:200],
        "shell": shell,
        "source": "shell",
    }
    for name, text, unit in (
        ("at_ms", began_us, 1_000),
        ("duration_ms", took_us, 1_000),
        ("exit", ended, 1),
    ):
        if text.lstrip("-").isdecimal():
            item[name] = int(text) // unit
    yield item
