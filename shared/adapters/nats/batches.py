"""Reading stored messages in batches without a consumer (batched direct get, nats-server 2.11).

Whoever may ask a stream directly may read it so: nothing is made on the server, and nothing has to
be cleaned up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.msg import Msg

from shared.adapters.nats.connection import Bus

ANSWER_S: Final = 5.0
BATCH: Final = 256
BATCH_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of one batch, so that a slow reader is not overrun."""


class BatchError(Exception):
    """The server refused to read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as it is stored."""

    seq: int
    subject: str
    data: bytes


async def stored_messages(bus: Bus, stream: str, subject: str) -> AsyncGenerator[Stored, None]:
    """Every message whose subject fits, in order.

    Raises `TimeoutError` when the server does not answer, and `BatchError` when it refuses.
    """
    after = 0
    while True:
        batch = await _batch(bus, stream, subject, after + 1)
        for message in batch:
            yield message
        if not batch:
            return
        after = batch[-1].seq


async def subjects_of(bus: Bus, stream: str, wanted: str) -> list[str]:
    """Every subject of a stream that fits `wanted` and has messages."""
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


async def _batch(bus: Bus, stream: str, subject: str, first: int) -> list[Stored]:
    request = {"seq": first, "batch": BATCH, "max_bytes": BATCH_BYTES, "next_by_subj": subject}
    inbox = bus.client.new_inbox()
    found: list[Stored] = []
    subscription = await bus.client.subscribe(inbox)
    try:
        asked = f"$JS.API.DIRECT.GET.{stream}"
        await bus.client.publish(asked, json.dumps(request).encode(), reply=inbox)
        while (message := await _next(subscription)) is not None:
            headers = message.headers or {}
            found.append(
                Stored(int(headers["Nats-Sequence"]), headers["Nats-Subject"], message.data)
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
