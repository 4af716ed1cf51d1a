"""Bundles on JetStream: versions in a key-value bucket, contents in an object store.

A change of a bundle is a compare-and-set on its key. Contents are stored before the version that
names them, under their checksum, so a version never names what is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.api import KeyValueConfig, ObjectStoreConfig
from nats.js.errors import (
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    ObjectNotFoundError,
)
from nats.js.errors import (
    NotFoundError as JetStreamNotFoundError,
)
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from shared.adapters.nats.buckets import read_all
from shared.adapters.nats.connection import Bus
from shared.collective.bundling import (
    described,
    dropped_contents,
    next_version,
    restored,
    withdrawn,
)
from shared.contracts.sync import Bundle, BundleVersion, SyncFile
from shared.ports.bundles import NewFile
from shared.ports.collective import (
    ConflictError,
    HiveUnavailableError,
    InvalidRequestError,
    NotFoundError,
)

log = structlog.get_logger()

BUCKET: Final = "bundles"
CONTENTS: Final = "bundle-contents"
CONTENTS_BYTES: Final = 1024 * 1024 * 1024
"""Most bytes of all contents together; what goes beyond is refused."""
READ_S: Final = 30.0
TRIES: Final = 10


class NatsBundles:
    """Bundles in NATS. Call `ensure` once before."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ensure(self, replicas: int = 1) -> None:
        """Make the bucket and the object store where they are missing. Idempotent."""
        jetstream = self._bus.jetstream
        try:
            await jetstream.stream_info(f"KV_{BUCKET}")
        except JetStreamNotFoundError:
            await jetstream.create_key_value(
                KeyValueConfig(bucket=BUCKET, history=1, replicas=replicas, direct=True)
            )
        try:
            await jetstream.stream_info(f"OBJ_{CONTENTS}")
        except JetStreamNotFoundError:
            await jetstream.create_object_store(
                CONTENTS, ObjectStoreConfig(max_bytes=CONTENTS_BYTES, replicas=replicas)
            )

    async def push(
        self, name: str, files: Sequence[NewFile], *, made_by: str, at_ms: int
    ) -> BundleVersion:
        """Make a new current version; gives the current one if it has the same files."""
        listed = described(files)
        with _outages():
            await self._store_contents(name, files, listed)
            before, after = await self._change(
                name, lambda b: next_version(name, b, listed, made_by=made_by, at_ms=at_ms)
            )
            if before is not None:
                await self._drop(name, dropped_contents(before, after))
        return _current(after)

    async def restore(
        self, name: str, *, made_by: str, version: int | None = None
    ) -> BundleVersion:
        """Make an earlier version current."""

        def change(bundle: Bundle | None) -> Bundle:
            if bundle is None:
                raise NotFoundError(f"there is no bundle {name}")
            return restored(bundle, made_by=made_by, version=version)

        with _outages():
            _, after = await self._change(name, change)
        return _current(after)

    async def withdraw(self, name: str, *, made_by: str, at_ms: int) -> BundleVersion:
        """Make a version without files current."""
        with _outages():
            before, after = await self._change(
                name, lambda b: withdrawn(name, b, made_by=made_by, at_ms=at_ms)
            )
            if before is not None:
                await self._drop(name, dropped_contents(before, after))
        return _current(after)

    async def get(self, name: str) -> Bundle | None:
        """A bundle with its versions."""
        with _outages():
            return (await self._read(await self._versions(), name))[0]

    async def names(self) -> Sequence[str]:
        """All bundles, by name."""
        with _outages():
            return sorted(entry.key for entry in await read_all(self._bus, BUCKET))

    async def read(self, bundle: str, file: SyncFile) -> bytes:
        """The bytes kept for a file."""
        if file.bytes == 0:
            return b""
        with _outages():
            contents = await self._contents()
            try:
                async with asyncio.timeout(READ_S):
                    found = await contents.get(_object(bundle, file.sha256))
            except ObjectNotFoundError:
                message = f"{bundle}/{file.path}: its content is not kept"
                raise NotFoundError(message) from None
        return bytes(found.data or b"")

    async def _change(
        self, name: str, change: Callable[[Bundle | None], Bundle]
    ) -> tuple[Bundle | None, Bundle]:
        versions = await self._versions()
        for _ in range(TRIES):
            before, revision = await self._read(versions, name)
            after = change(before)
            if after is before:
                return before, after
            try:
                await versions.update(name, after.model_dump_json().encode(), last=revision)
            except KeyWrongLastSequenceError:
                continue
            return before, after
        raise ConflictError(f"bundle {name}: changed {TRIES} times meanwhile")

    async def _read(self, versions: KeyValue, name: str) -> tuple[Bundle | None, int]:
        try:
            entry = await versions.get(name)
        except KeyNotFoundError:
            return None, 0
        return Bundle.model_validate_json(entry.value or b""), entry.revision or 0

    async def _store_contents(
        self, name: str, files: Sequence[NewFile], listed: Sequence[SyncFile]
    ) -> None:
        contents = await self._contents()
        for new, file in zip(files, listed, strict=True):
            if new.data and not await _has(contents, _object(name, file.sha256)):
                await contents.put(_object(name, file.sha256), new.data)

    async def _drop(self, name: str, checksums: set[str]) -> None:
        """Remove contents of versions no longer kept. Left over, they only take room."""
        contents = await self._contents()
        for checksum in checksums:
            try:
                await contents.delete(_object(name, checksum))
            except ObjectNotFoundError:
                continue

    async def _versions(self) -> KeyValue:
        return await self._bus.jetstream.key_value(BUCKET)

    async def _contents(self) -> ObjectStore:
        return await self._bus.jetstream.object_store(CONTENTS)


@contextmanager
def _outages() -> Iterator[None]:
    """Turns what the driver raises into the port's errors."""
    try:
        yield
    except MaxPayloadError as error:
        raise InvalidRequestError("files: the list of all kept versions is too long") from error
    except (NatsError, TimeoutError) as error:
        raise HiveUnavailableError(f"bundles cannot be reached now: {error}") from error


async def _has(contents: ObjectStore, name: str) -> bool:
    try:
        await contents.get_info(name)
    except ObjectNotFoundError:
        return False
    return True


def _object(bundle: str, checksum: str) -> str:
    return f"{bundle}/{checksum}"


def _current(bundle: Bundle) -> BundleVersion:
    version = bundle.version(bundle.current)
    if version is None:
        raise NotFoundError(f"bundle {bundle.name} has no version {bundle.current}")
    return version
