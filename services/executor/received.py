"""Broadcasts that an agent has received: one file each, in its data directory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from services.executor.commands.containment import within_roots
from services.executor.commands.drafts import draft
from services.executor.policy import Policy
from shared.contracts.collective import Broadcast

log = structlog.get_logger()

KEPT: Final = 1_000
"""Most broadcasts an agent keeps; the oldest go first."""


class ReceivedBroadcasts:
    """Keeps broadcasts on disk. Blocks. Raises `FileError` when it cannot write."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "broadcasts"
        self._policy = Policy(roots=(data_dir,))

    def keep(self, broadcast: Broadcast) -> None:
        """Write it, durably. One that is kept already stays as it is."""
        name = f"{hashlib.sha256(broadcast.id.encode()).hexdigest()}.json"
        if (self._folder / name).exists():
            return
        with (
            within_roots(name, self._policy, self._folder, create_parents=True) as place,
            draft(place) as writing,
        ):
            writing.write([broadcast.model_dump_json(indent=1).encode()])
            writing.commit(0o600, None)
        self._forget_oldest()

    def count(self) -> int:
        """How many are kept."""
        return len(self._files())

    def newest(self, limit: int = KEPT) -> list[Broadcast]:
        """Newest first. What cannot be read is left out, and logged."""
        found = [kept for file in self._files() if (kept := _read(file)) is not None]
        return sorted(found, key=lambda b: (b.sent_at_ms, b.id), reverse=True)[:limit]

    def _files(self) -> list[Path]:
        return list(self._folder.glob("*.json")) if self._folder.is_dir() else []

    def _forget_oldest(self) -> None:
        files = self._files()
        if len(files) > KEPT:
            files.sort(key=lambda file: file.stat().st_mtime_ns)
            for file in files[: len(files) - KEPT]:
                file.unlink(missing_ok=True)


def _read(file: Path) -> Broadcast | None:
    try:
        return Broadcast.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        log.warning("kept broadcast cannot be read", file=file.name, reason=str(error)[:300])
        return None
