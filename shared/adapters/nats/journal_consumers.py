"""The consumers of a partition: finding those of earlier owners, and taking them away.

Each lives in the memory of one server, since what they know can be found out again: a consumer with
replicas would agree on every delivery. When that server is away, so is the consumer: nobody tells
what it has acknowledged, and nobody confirms that it is deleted, though it is. So it is looked for
by name (which the cluster knows), and asked with a short patience. A list with all details would
wait four seconds for the one that is missing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import structlog
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import Bus

log = structlog.get_logger()

ASK_S: Final = 1.0
"""How long a consumer of an earlier owner may take to say what it acknowledged."""


class ConsumersUnknownError(OSError):
    """The server does not tell which consumers there are."""


async def evict(bus: Bus, stream: str, partition: int) -> int:
    """Delete the consumers of earlier owners; gives the sequence they acknowledged, 0 where that
    cannot be known. Raises `ConsumersUnknownError`."""
    prefix = f"coordinator-{partition}-"
    names = [name for name in await _names(bus, stream) if name.startswith(prefix)]
    floors = await asyncio.gather(*(_evict(bus, stream, name) for name in names))
    return max(floors, default=0)


async def _evict(bus: Bus, stream: str, name: str) -> int:
    info = await _ask(bus, f"CONSUMER.INFO.{stream}.{name}")
    await _ask(bus, f"CONSUMER.DELETE.{stream}.{name}")
    if info is None:
        log.warning("the server of a consumer is away, so entries come again", consumer=name)
        return 0
    return int(info.get("ack_floor", {}).get("stream_seq", 0))


async def _names(bus: Bus, stream: str) -> Sequence[str]:
    answer = await _ask(bus, f"CONSUMER.NAMES.{stream}")
    if answer is None or "consumers" not in answer:
        raise ConsumersUnknownError(f"consumers of {stream} not told: {answer or 'no answer'}")
    return [str(name) for name in answer["consumers"] or ()]


async def _ask(bus: Bus, request: str) -> dict[str, Any] | None:
    """The answer to a request to JetStream; nothing when none came in time."""
    try:
        reply = await bus.client.request(f"$JS.API.{request}", b"", timeout=ASK_S)
    except (NatsError, TimeoutError):
        return None
    answer: dict[str, Any] = json.loads(reply.data)
    return answer
