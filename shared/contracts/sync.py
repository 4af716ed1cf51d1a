"""Files that are kept the same on every agent: bundles, their versions, and what an agent has.

Times are epoch milliseconds; checksums are SHA-256 in hex.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from shared.contracts.collective import Contract

FILES_LIMIT: Final = 200
"""Most files of one bundle."""
BUNDLE_BYTES_LIMIT: Final = 4 * 1024 * 1024
"""Most bytes of all files of one bundle version."""
VERSIONS_KEPT: Final = 20
"""Newest versions of a bundle that stay restorable."""

BundleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
PATH_PATTERN: Final = r"^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)*$"
"""No part begins with a dot: neither `..` nor the agent's own hidden files can be named."""
RelativePath = Annotated[str, StringConstraints(pattern=PATH_PATTERN, max_length=512)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Mode = Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")]


class SyncFile(Contract):
    """One file of a version. `path` is relative to the bundle's directory on the agent."""

    path: RelativePath
    sha256: Sha256
    bytes: int = Field(ge=0)
    mode: Mode = "0644"


class BundleVersion(Contract):
    """One state of a bundle. `previous` is the version that was current before it was pushed."""

    bundle: BundleName
    version: int = Field(ge=1)
    files: tuple[SyncFile, ...] = Field(max_length=FILES_LIMIT)
    created_at_ms: int
    made_by: str = Field(max_length=300)
    previous: int | None = None


class Bundle(Contract):
    """A bundle: which of its versions is current, and who changed that last."""

    name: BundleName
    current: int
    changed_by: str = Field(max_length=300)
    versions: tuple[BundleVersion, ...] = Field(min_length=1, max_length=VERSIONS_KEPT)

    def version(self, number: int) -> BundleVersion | None:
        """One version, if it is still kept."""
        return next((v for v in self.versions if v.version == number), None)


FileState = Literal["ok", "written", "missing", "changed", "removed", "failed"]
"""`changed`: on the disk is something else than what was distributed."""


class HeldFile(Contract):
    """What an agent has at one path."""

    path: str
    state: FileState
    sha256: str | None = None
    problem: str = ""


class HeldBundle(Contract):
    """What an agent has of one bundle, after the order was carried out.

    `version` is the version whose files are all there, unchanged; None if there is no such.
    """

    bundle: BundleName
    version: int | None
    files: tuple[HeldFile, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be done, by file."""
        return tuple(f"{f.path}: {f.problem}" for f in self.files if f.problem)
