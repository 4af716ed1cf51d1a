"""Files kept for distribution: versions of bundles, and the bytes of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.sync import Bundle, BundleVersion, SyncFile


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be distributed. `mode` is octal text such as `0644`."""

    path: str
    data: bytes
    mode: str = "0644"


class Bundles(Protocol):
    """Versions of bundles. Raises `HiveUnavailableError` where the store cannot be reached."""

    async def push(
        self, name: str, files: Sequence[NewFile], *, made_by: str, at_ms: int
    ) -> BundleVersion:
        """Make a new current version; gives the current one if it has the same files.

        Raises `InvalidRequestError` where a bound of `shared.contracts.sync` is broken.
        """
        ...

    async def restore(
        self, name: str, *, made_by: str, version: int | None = None
    ) -> BundleVersion:
        """Make an earlier version current: by default the one before the current one's push.

        Repeated with the same `made_by` it changes nothing. Raises `NotFoundError` when there is no
        such bundle or version.
        """
        ...

    async def withdraw(self, name: str, *, made_by: str, at_ms: int) -> BundleVersion:
        """Make a version without files current, so that agents remove what they have; gives the
        current one if it has none. Its earlier versions stay restorable.

        Raises `NotFoundError` when there is no such bundle.
        """
        ...

    async def get(self, name: str) -> Bundle | None:
        """A bundle with its versions."""
        ...

    async def names(self) -> Sequence[str]:
        """All bundles, by name."""
        ...

    async def read(self, bundle: str, file: SyncFile) -> bytes:
        """The bytes kept for a file. The reader compares the checksum.

        Raises `NotFoundError` when they are not there.
        """
        ...
