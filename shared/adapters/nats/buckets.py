"""Reading a whole key-value bucket with one request (batched direct get, nats-server 2.11)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg

from shared.adapters.nats.connection import Bus

ANSWER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class BucketEntry:
    """A key with its newest value, and the sequence it has in the bucket's stream."""

    key: str
    value: bytes
    seq: int


class BucketError(Exception):
    """The server refused to read a bucket."""


async def read_all(bus: Bus, bucket: str) -> list[BucketEntry]:
    """Every key of a bucket. Raises `TimeoutError` when the server does not answer, and
    `BucketError` when it refuses, for example because there are more than 1,024 keys."""
    stream = f"KV_{bucket}"
    prefix = f"$KV.{bucket}."
    request = json.dumps({"multi_last": [prefix + ">"]}).encode()
    inbox = bus.client.new_inbox()
    found: list[BucketEntry] = []
    subscription = await bus.client.subscribe(inbox)
    try:
        await bus.client.publish(f"$JS.API.DIRECT.GET.{stream}", request, reply=inbox)
        async with asyncio.timeout(ANSWER_S):
            while not _is_last(message := await subscription.next_msg(timeout=ANSWER_S)):
                headers = message.headers or {}
                if headers.get("KV-Operation") is None:
                    key = headers["Nats-Subject"].removeprefix(prefix)
                    found.append(BucketEntry(key, message.data, int(headers["Nats-Sequence"])))
    finally:
        if bus.client.is_connected:
            await subscription.unsubscribe()
    return found


def _is_last(message: Msg) -> bool:
    """204 ends the answer; 404 means that the bucket is empty."""
    headers = message.headers or {}
    status = headers.get("Status")
    if status in (None, "204", "404"):
        return status is not None
    if status == "503":
        raise TimeoutError("the bucket's stream does not answer")
    raise BucketError(f"{status} {headers.get('Description', '')}")
