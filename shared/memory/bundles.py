"""Bundles in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.collective.bundling import (
    described,
    dropped_contents,
    next_version,
    restored,
    withdrawn,
)
from shared.contracts.sync import Bundle, BundleVersion, SyncFile
from shared.ports.bundles import NewFile
from shared.ports.collective import NotFoundError


class MemoryBundles:
    """Keeps bundles for as long as the process lives."""

    def __init__(self) -> None:
        self._bundles: dict[str, Bundle] = {}
        self._contents: dict[tuple[str, str], bytes] = {}

    async def push(
        self, name: str, files: Sequence[NewFile], *, made_by: str, at_ms: int
    ) -> BundleVersion:
        """Make a new current version; gives the current one if it has the same files."""
        listed = described(files)
        before = self._bundles.get(name)
        after = next_version(name, before, listed, made_by=made_by, at_ms=at_ms)
        for new, file in zip(files, listed, strict=True):
            self._contents[name, file.sha256] = new.data
        self._bundles[name] = after
        for checksum in dropped_contents(before, after) if before is not None else ():
            del self._contents[name, checksum]
        return after.versions[-1] if before is not after else _current(after)

    async def restore(
        self, name: str, *, made_by: str, version: int | None = None
    ) -> BundleVersion:
        """Make an earlier version current."""
        bundle = self._bundles.get(name)
        if bundle is None:
            raise NotFoundError(f"there is no bundle {name}")
        self._bundles[name] = restored(bundle, made_by=made_by, version=version)
        return _current(self._bundles[name])

    async def withdraw(self, name: str, *, made_by: str, at_ms: int) -> BundleVersion:
        """Make a version without files current."""
        before = self._bundles.get(name)
        after = withdrawn(name, before, made_by=made_by, at_ms=at_ms)
        self._bundles[name] = after
        for checksum in dropped_contents(before, after) if before is not None else ():
            del self._contents[name, checksum]
        return _current(after)

    async def get(self, name: str) -> Bundle | None:
        """A bundle with its versions."""
        return self._bundles.get(name)

    async def names(self) -> Sequence[str]:
        """All bundles, by name."""
        return sorted(self._bundles)

    async def read(self, bundle: str, file: SyncFile) -> bytes:
        """The bytes kept for a file."""
        try:
            return self._contents[bundle, file.sha256]
        except KeyError:
            raise NotFoundError(f"{bundle}/{file.path}: its content is not kept") from None


def _current(bundle: Bundle) -> BundleVersion:
    version = bundle.version(bundle.current)
    if version is None:
        raise NotFoundError(f"bundle {bundle.name} has no version {bundle.current}")
    return version
