"""Reading the last message of many subjects without a consumer: nothing is made on the server.

The law: a batch (batched direct get, nats-server 2.11) may be answered by a replica that lags
behind. So what there is says the stream's leader, and what the batch lacks of that is asked of the
leader, one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from shared.adapters.nats.connection import Bus

ANSWER_S: Final = 5.0
BATCH: Final = 256
BATCH_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of one batch, so that a slow reader is not overrun."""


class BatchError(Exception):
    """The server refused to read."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """One message as it is stored."""

    seq: int
    subject: str
    data: bytes


async def last_messages(bus: Bus, stream: str, wanted: str) -> dict[str, bytes]:
    """The last message of every subject that fits, by subject.

    Raises `TimeoutError` when the server does not answer, and `BatchError` when it refuses.
    """
    found: dict[str, bytes] = {}
    after = 0
    while batch := await _batch(bus, stream, wanted, after + 1):
        found |= {one.subject: one.data for one in batch}
        after = batch[-1].seq
    missing = set(await subjects_of(bus, stream, wanted)) - found.keys()
    for subject in sorted(missing):
        with contextlib.suppress(NotFoundError):  # removed meanwhile
            message = await bus.jetstream.get_last_msg(stream, subject)
            found[subject] = message.data or b""
    return found


async def subjects_of(bus: Bus, stream: str, wanted: str) -> list[str]:
    """Every subject of a stream that fits `wanted` and has messages, as its leader says."""
    found: list[str] = []
    while True:
        request = json.dumps({"subjects_filter": wanted, "offset": len(found)}).encode()
        answer = await _ask(bus, f"$JS.API.STREAM.INFO.{stream}", request)
        page = list((answer["state"].get("subjects") or {}).keys())
        found += page
        if not page or len(found) >= int(answer.get("total", len(found))):
            return found


async def _ask(bus: Bus, subject: str, request: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        (await bus.client.request(subject, request, timeout=ANSWER_S)).data
    )
    if "error" in answer:
        raise BatchError(str(answer["error"].get("description", "")))
    return answer


async def _batch(bus: Bus, stream: str, subject: str, first: int) -> list[_Stored]:
    request = {"seq": first, "batch": BATCH, "max_bytes": BATCH_BYTES, "next_by_subj": subject}
    inbox = bus.client.new_inbox()
    found: list[_Stored] = []
    subscription = await bus.client.subscribe(inbox)
    try:
        asked = f"$JS.API.DIRECT.GET.{stream}"
        await bus.client.publish(asked, json.dumps(request).encode(), reply=inbox)
        while (message := await _next(subscription)) is not None:
            headers = message.headers or {}
            found.append(
                _Stored(int(headers["Nats-Sequence"]), headers["Nats-Subject"], message.data)
            )
    finally:
        if bus.client.is_connected:
            await subscription.unsubscribe()
    return found


async def _next(subscription: Any) -> Msg | None:
    """The next message of an answer; None at its end: 204, or 404 when there is nothing."""
    async with asyncio.timeout(ANSWER_S):
        message: Msg = await subscription.next_msg(timeout=ANSWER_S)
    status = (message.headers or {}).get("Status")
    if status in ("204", "404"):
        return None
    if status == "503":
        raise TimeoutError("the stream does not answer")
    if status is not None:
        raise BatchError(f"{status} {(message.headers or {}).get('Description', '')}")
    return message
