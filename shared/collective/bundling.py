"""How a bundle gets its next version, and goes back to an earlier one.

The law:
- A version is never changed. Pushing the files that are current already makes no new one.
- `previous` of a version is what was current when it was pushed: restoring undoes exactly that.
- Who repeats a restore under the same name (`made_by`) does not go back twice.
- The newest `VERSIONS_KEPT` versions are kept, and the current one in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import ValidationError

from shared.contracts.sync import (
    BUNDLE_BYTES_LIMIT,
    FILES_LIMIT,
    VERSIONS_KEPT,
    Bundle,
    BundleVersion,
    SyncFile,
)
from shared.ports.bundles import NewFile
from shared.ports.collective import InvalidRequestError, NotFoundError


def described(files: Sequence[NewFile]) -> tuple[SyncFile, ...]:
    """The files with size and checksum. Raises `InvalidRequestError` where a bound is broken."""
    if not files or len(files) > FILES_LIMIT:
        raise InvalidRequestError(f"files: {len(files)} given; a bundle has 1 to {FILES_LIMIT}")
    paths = [file.path for file in files]
    if len(set(paths)) != len(paths):
        raise InvalidRequestError("files: a path is given twice")
    inside = next((p for p in paths for q in paths if q.startswith(f"{p}/")), None)
    if inside is not None:
        raise InvalidRequestError(f"files: '{inside}' cannot be a file and a directory")
    total = sum(len(file.data) for file in files)
    if total > BUNDLE_BYTES_LIMIT:
        raise InvalidRequestError(
            f"files: {total} bytes together; at most {BUNDLE_BYTES_LIMIT} fit into one bundle"
        )
    return tuple(_described(file) for file in files)


def next_version(
    name: str, before: Bundle | None, files: tuple[SyncFile, ...], *, made_by: str, at_ms: int
) -> Bundle:
    """The bundle with these files as its current version; `before` itself if they are already."""
    current = before.version(before.current) if before is not None else None
    if before is not None and current is not None and current.files == files:
        return before
    earlier = before.versions if before is not None else ()
    try:
        new = BundleVersion(
            bundle=name,
            version=earlier[-1].version + 1 if earlier else 1,
            files=files,
            created_at_ms=at_ms,
            made_by=made_by,
            previous=current.version if current is not None else None,
        )
    except ValidationError as error:
        raise InvalidRequestError(_first(error)) from error
    kept = (*earlier, new)[-VERSIONS_KEPT:]
    return Bundle(name=name, current=new.version, changed_by=made_by, versions=kept)


def restored(bundle: Bundle, *, made_by: str, version: int | None) -> Bundle:
    """The bundle with an earlier version current. Raises `NotFoundError`."""
    if bundle.changed_by == made_by:
        return bundle
    current = bundle.version(bundle.current)
    wanted = version if version is not None else (current.previous if current else None)
    if wanted is None:
        raise NotFoundError(f"bundle {bundle.name}: there is no version before {bundle.current}")
    if bundle.version(wanted) is None:
        kept = ", ".join(str(v.version) for v in bundle.versions)
        raise NotFoundError(f"bundle {bundle.name}: version {wanted} is not kept, only {kept}")
    return bundle.model_copy(update={"current": wanted, "changed_by": made_by})


def withdrawn(name: str, bundle: Bundle | None, *, made_by: str, at_ms: int) -> Bundle:
    """The bundle with a version without files current: agents remove what they have of it. Raises
    `NotFoundError`."""
    if bundle is None:
        raise NotFoundError(f"there is no bundle {name}")
    return next_version(name, bundle, (), made_by=made_by, at_ms=at_ms)


def dropped_contents(before: Bundle, after: Bundle) -> set[str]:
    """Checksums of contents that no kept version has any more."""
    return _checksums(before) - _checksums(after)


def _checksums(bundle: Bundle) -> set[str]:
    return {file.sha256 for version in bundle.versions for file in version.files}


def _described(file: NewFile) -> SyncFile:
    checksum = hashlib.sha256(file.data).hexdigest()
    try:
        return SyncFile(path=file.path, sha256=checksum, bytes=len(file.data), mode=file.mode)
    except ValidationError as error:
        raise InvalidRequestError(_first(error)) from error


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"files: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
