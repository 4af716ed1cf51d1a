"""What an agent has running, noted on disk, so that its next process can find what a kill left.

A note is made before a program is started and removed when everything of it has been dealt with:
it ended, it was stopped, or it was meant to stay in the background. A note that is still there when
the agent starts belongs to a program that nobody watches any more.

Each note holds the program's mark (random, in the environment of all its processes) and who made
it. Notes are not synced: they need to survive the end of a process, not that of the host, which
ends the programs too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil
import structlog

log = structlog.get_logger()

SAME_START_S: Final = 2.0
"""Start times of one process that were read at different times differ by less."""


@dataclass(frozen=True, slots=True)
class Note:
    """One program: its mark, for which attempt it runs, and the process that started it."""

    mark: str
    attempt: str
    owner: int
    owner_started_s: float

    @property
    def is_abandoned(self) -> bool:
        """Whether the process that started it has ended. This process has just begun: an earlier
        one that had its pid (in a container it always does) was another."""
        if self.owner == os.getpid():
            return True
        try:
            owner = psutil.Process(self.owner)
            same = abs(owner.create_time() - self.owner_started_s) < SAME_START_S
            return not same or owner.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            return True


class RunningRecords:
    """The notes of one agent, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written before the first note."""
        self._folder = folder
        self._started_s = psutil.Process().create_time()

    def note(self, mark: str, attempt: str) -> None:
        """A program with this mark is about to be started. A full disk does not keep it from
        running."""
        made = Note(mark, attempt, os.getpid(), self._started_s)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file(mark).write_text(json.dumps(asdict(made)), encoding="utf-8")
        except OSError as error:
            log.warning("running program not noted", attempt=attempt, error=str(error))

    def forget(self, mark: str) -> None:
        """Nothing of the program needs to be looked for any more."""
        self._file(mark).unlink(missing_ok=True)

    def abandoned(self) -> Iterator[Note]:
        """Notes of processes that have ended. What cannot be read is removed, and logged."""
        for file in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            try:
                note = Note(**json.loads(file.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                log.warning("note cannot be read", file=file.name, error=str(error))
                file.unlink(missing_ok=True)
                continue
            if note.is_abandoned:
                yield note

    def _file(self, mark: str) -> Path:
        return self._folder / f"{mark}.json"
