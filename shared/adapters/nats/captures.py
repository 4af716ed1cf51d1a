"""Captures on JetStream: a stream of manifests, and one of sealed contents in parts.

The law of both streams: a subject has one message for ever. The server itself refuses a second one,
and takes no rollups, so whoever may only publish (an agent) can state what was there before a step,
and can neither change nor remove what was stated. Only housekeeping purges.

The last part of a content is published when all others are stored: where it is, all of it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.adapters.nats.batches import BatchError, last_messages, subjects_of
from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.contracts.captures import Manifest
from shared.ports.captures import (
    BlobNotFoundError,
    CapturesFullError,
    CapturesUnavailableError,
    CaptureUsage,
    Swept,
    is_intact,
    is_past,
)

MANIFESTS_BYTES: Final = 256 * 1024 * 1024
"""Most bytes of all manifests together; what goes beyond is refused."""
BLOBS_BYTES: Final = 1024 * 1024 * 1024
"""Most bytes of all contents together, unless it is set otherwise; what goes beyond is refused."""
PART_BYTES: Final = 512 * 1024
PARTS_AT_ONCE: Final = 8
FENCE_TRIES: Final = 10
FENCE_PAUSE_S: Final = 0.1

ReadsLast = Callable[[Bus, str, str], Awaitable[Mapping[str, bytes]]]
"""The newest message of each subject that fits, in a stream."""

_FIRST: Final = {"Nats-Expected-Last-Subject-Sequence": "0"}
_NOT_FIRST: Final = 10071
_NOT_STORED: Final = 10077
"""The server's codes for: the subject has a message; the stream is full."""


def capture_streams(replicas: int) -> list[StreamConfig]:
    """The two streams."""
    return [
        _stream(subjects.CAPTURES, "hive.capture.manifest.>", MANIFESTS_BYTES, replicas),
        _stream(subjects.CAPTURE_BLOBS, "hive.capture.blob.>", BLOBS_BYTES, replicas),
    ]


async def set_room(bus: Bus, blobs_bytes: int) -> None:
    """Let all contents together take so many bytes; what is stored stays, even if it is more."""
    config = (await bus.jetstream.stream_info(subjects.CAPTURE_BLOBS)).config
    if config.max_bytes != blobs_bytes:
        await bus.jetstream.update_stream(config.evolve(max_bytes=blobs_bytes))


def _stream(name: str, subject: str, most_bytes: int, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=[subject],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_bytes=most_bytes,
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        num_replicas=replicas,
        allow_direct=True,
        allow_rollup_hdrs=False,
    )


class NatsCaptures:
    """Captures in NATS; the streams are made with all others (`ensure_streams`)."""

    def __init__(
        self, bus: Bus, read: ReadsLast = last_messages, fence_pause_s: float = FENCE_PAUSE_S
    ) -> None:
        self._bus = bus
        self._last_messages = read
        self._fence_pause_s = fence_pause_s

    async def create(self, manifest: Manifest) -> Manifest:
        """State what was there before a step; gives the manifest that counts."""
        key = (manifest.execution_id, manifest.step, manifest.agent)
        data = manifest.model_dump_json().encode()
        with _outages():
            if await self._publish(subjects.capture_manifest(*key), data):
                return manifest
        held = await self.get(*key)
        if held is None:  # whoever answered was behind, or it was removed meanwhile
            raise CapturesUnavailableError("captures: what was stated first is not to be had now")
        return held

    async def get(self, execution_id: str, step: str, agent: str) -> Manifest | None:
        """What was kept on one agent."""
        subject = subjects.capture_manifest(execution_id, step, agent)
        with _outages():
            try:
                found = await self._bus.jetstream.get_last_msg(subjects.CAPTURES, subject)
            except NotFoundError:
                return None
        return Manifest.model_validate_json(found.data or b"")

    async def of_step(self, execution_id: str, step: str) -> Sequence[Manifest]:
        """What was kept on every agent that attempted a step."""
        found = await self._manifests(f"{execution_id}.{step}.*")
        return sorted(found, key=lambda m: (m.attempt, m.at_ms))

    async def of_execution(self, execution_id: str) -> Sequence[Manifest]:
        """All that was kept for an execution."""
        return await self._manifests(f"{execution_id}.>")

    async def settled(self, execution_id: str, mark: str) -> Sequence[Manifest]:
        """All that was kept for an execution, at least all that was stated before now: a leader
        that was frozen, or a replica that is behind, does not have the mark yet."""
        fence = subjects.capture_manifest(execution_id, subjects.CAPTURE_FENCE, mark)
        with _outages():
            await self._publish(fence, b"{}")
            for _ in range(FENCE_TRIES):
                wanted = f"hive.capture.manifest.{execution_id}.>"
                found = await self._last_messages(self._bus, subjects.CAPTURES, wanted)
                if fence in found:
                    return _read(found)
                await asyncio.sleep(self._fence_pause_s)
        raise CapturesUnavailableError("captures: what was just written is not to be read yet")

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a content durably; does nothing where it is kept."""
        place = subjects.capture_blob(name)
        count = -(-len(data) // PART_BYTES) or 1
        parts = [data[i * PART_BYTES : (i + 1) * PART_BYTES] for i in range(count)]
        with _outages():
            if count > 1 and await self._is_there(f"{place}.{count}.{count - 1}"):
                return
            for first in range(0, count - 1, PARTS_AT_ONCE):
                numbers = range(first, min(first + PARTS_AT_ONCE, count - 1))
                await asyncio.gather(
                    *(self._publish(f"{place}.{count}.{n}", parts[n]) for n in numbers)
                )
            await self._publish(f"{place}.{count}.{count - 1}", parts[-1])

    async def get_blob(self, name: str) -> bytes:
        """A content."""
        place = subjects.capture_blob(name)
        with _outages():
            found = await self._last_messages(self._bus, subjects.CAPTURE_BLOBS, f"{place}.>")
        parts = {int(subject.rpartition(".")[2]): data for subject, data in found.items()}
        data = b"".join(parts[number] for number in sorted(parts))
        if not is_intact(name, data):
            raise BlobNotFoundError(f"captures: the content {name} is not kept, or not whole")
        return data

    async def executions(self) -> Collection[str]:
        """Ids of the executions for which something is kept."""
        with _outages():
            found = await subjects_of(self._bus, subjects.CAPTURES, "hive.capture.manifest.>")
        return {subject.split(".")[3] for subject in found}

    async def forget(self, execution_id: str) -> int:
        """Remove every manifest of an execution."""
        wanted = f"hive.capture.manifest.{execution_id}.>"
        with _outages():
            found = await subjects_of(self._bus, subjects.CAPTURES, wanted)
            if found:
                await self._bus.jetstream.purge_stream(subjects.CAPTURES, subject=wanted)
        return sum(not _is_fence(subject) for subject in found)

    async def sweep(self, now_ms: int) -> Swept:
        """Remove the blobs that no manifest names and nobody can name any more."""
        with _outages():
            past = await self._past(now_ms)
            if not past:
                return Swept(0, 0)
            manifests = await self._manifests(">")
            gone = past - {name for manifest in manifests for name in manifest.blobs}
            before = await self._bytes()
            for name in gone:
                wanted = f"{subjects.capture_blob(name)}.>"
                await self._bus.jetstream.purge_stream(subjects.CAPTURE_BLOBS, subject=wanted)
            return Swept(len(gone), max(0, before - await self._bytes()) if gone else 0)

    async def usage(self) -> CaptureUsage:
        """How much is kept."""
        with _outages():
            manifests = await self._bus.jetstream.stream_info(subjects.CAPTURES)
            blobs = await self._bus.jetstream.stream_info(subjects.CAPTURE_BLOBS)
        return CaptureUsage(
            manifests=manifests.state.messages,
            manifest_bytes=manifests.state.bytes,
            manifest_limit_bytes=manifests.config.max_bytes or MANIFESTS_BYTES,
            blob_bytes=blobs.state.bytes,
            blob_limit_bytes=blobs.config.max_bytes or BLOBS_BYTES,
        )

    async def _manifests(self, wanted: str) -> list[Manifest]:
        subject = f"hive.capture.manifest.{wanted}"
        with _outages():
            found = await self._last_messages(self._bus, subjects.CAPTURES, subject)
        return _read(found)

    async def _past(self, now_ms: int) -> set[str]:
        found = await subjects_of(self._bus, subjects.CAPTURE_BLOBS, "hive.capture.blob.>")
        names = {".".join(subject.split(".")[3:5]) for subject in found}
        return {name for name in names if is_past(name, now_ms)}

    async def _bytes(self) -> int:
        return int((await self._bus.jetstream.stream_info(subjects.CAPTURE_BLOBS)).state.bytes)

    async def _is_there(self, subject: str) -> bool:
        try:
            await self._bus.jetstream.get_last_msg(subjects.CAPTURE_BLOBS, subject, direct=True)
        except NotFoundError:
            return False
        return True

    async def _publish(self, subject: str, data: bytes) -> bool:
        """Store the only message of a subject; false where there is one."""
        try:
            await self._bus.jetstream.publish(subject, data, headers=dict(_FIRST))
        except APIError as error:
            if error.err_code == _NOT_FIRST:
                return False
            if error.err_code == _NOT_STORED:
                raise CapturesFullError(f"captures: no room ({error.description})") from error
            raise
        return True


def _read(found: Mapping[str, bytes]) -> list[Manifest]:
    """Manifests by subject, without fences."""
    return [
        Manifest.model_validate_json(data)
        for subject, data in found.items()
        if not _is_fence(subject)
    ]


def _is_fence(subject: str) -> bool:
    return subject.split(".")[4] == subjects.CAPTURE_FENCE


@contextmanager
def _outages() -> Iterator[None]:
    """Turns what the driver raises into the port's errors."""
    try:
        yield
    except (NatsError, BatchError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise CapturesUnavailableError(f"captures cannot be reached now: {reason}") from error
