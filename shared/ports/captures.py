"""Where captures are kept: manifests, and the sealed contents that they name (blobs).

The law of blobs: a name holds the day (UTC) on which the blob was put, and the checksum of what is
stored: equal contents are kept once a day, and what comes back is proven. Whoever captures uses
only blobs of the day on which it began, and has stated its manifest within `CAPTURE_LIMIT_S`. So
two days later nobody new can name a blob, and the sweep may remove those that no manifest names,
whatever is captured meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from shared.contracts.captures import Manifest

CAPTURE_LIMIT_S: Final = 3_600.0
"""Longest time from the first blob of a capture to its manifest."""
BLOB_DAYS: Final = 2
"""A blob that no manifest names is removed when it was put so many days ago, or earlier."""
DAY_MS: Final = 86_400_000


class CaptureError(Exception):
    """Base of what the store of captures refuses."""


class CapturesUnavailableError(CaptureError):
    """The store cannot be reached now; the same again may work."""


class CapturesFullError(CaptureError):
    """The store has no room for it."""


class BlobNotFoundError(CaptureError):
    """There is no blob of this name, or not all of it."""


class Captures(Protocol):
    """What agents, and whoever plans a rollback, do with captures. Every method may raise
    `CapturesUnavailableError`."""

    async def create(self, manifest: Manifest) -> Manifest:
        """State what was there before a step; gives the manifest that counts: an earlier one of the
        same execution, step and agent, if there is one. Raises `CapturesFullError`."""
        ...

    async def get(self, execution_id: str, step: str, agent: str) -> Manifest | None:
        """What was kept on one agent."""
        ...

    async def of_step(self, execution_id: str, step: str) -> Sequence[Manifest]:
        """What was kept on every agent that attempted a step, in the order of their first
        attempts."""
        ...

    async def of_execution(self, execution_id: str) -> Sequence[Manifest]:
        """All that was kept for an execution, in no special order."""
        ...

    async def settled(self, execution_id: str, mark: str) -> Sequence[Manifest]:
        """The same, and at least all that was stated before now: `mark` is written, and what is
        read holds it. Who asks once more under the same mark gets what was stated before the first
        time, or more."""
        ...

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a content durably, under its `blob_name`; does nothing where it is kept. Raises
        `CapturesFullError`."""
        ...

    async def get_blob(self, name: str) -> bytes:
        """A content. Raises `BlobNotFoundError`."""
        ...


@dataclass(frozen=True, slots=True)
class CaptureUsage:
    """How much is kept, and how much may be, in bytes as stored."""

    manifests: int
    manifest_bytes: int
    manifest_limit_bytes: int
    blob_bytes: int
    blob_limit_bytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed; bytes as stored."""

    blobs: int
    bytes: int


class CaptureKeeping(Protocol):
    """What housekeeping does with captures."""

    async def executions(self) -> Collection[str]:
        """Ids of the executions for which something is kept."""
        ...

    async def forget(self, execution_id: str) -> int:
        """Remove every manifest of an execution; gives how many; blobs go by a later sweep."""
        ...

    async def sweep(self, now_ms: int) -> Swept:
        """Remove the blobs that no manifest names and nobody can name any more."""
        ...

    async def usage(self) -> CaptureUsage:
        """How much is kept."""
        ...


def blob_name(data: bytes, at_ms: int) -> str:
    """The name of a blob that is put now: `d<days since 1970>.<sha256 of data>`."""
    return f"d{at_ms // DAY_MS}.{hashlib.sha256(data).hexdigest()}"


def is_intact(name: str, data: bytes) -> bool:
    """Whether data is what was put under this name."""
    return name.partition(".")[2] == hashlib.sha256(data).hexdigest()


def is_past(name: str, now_ms: int) -> bool:
    """Whether nobody can name this blob any more who has not done so."""
    day = name.partition(".")[0].removeprefix("d")
    return day.isdigit() and int(day) <= now_ms // DAY_MS - BLOB_DAYS
