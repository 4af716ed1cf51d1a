"""What the reply subject of a message from a consumer tells about its delivery."""

from __future__ import annotations

from typing import Final, NamedTuple

_SHORT: Final = 9
"""`$JS.ACK.<stream>.<consumer>.<deliveries>.<seq>.<consumer seq>.<time>.<left>`; the longer form
has a domain and an account before the stream, and may have a token at its end."""


class DeliveryInfo(NamedTuple):
    """`deliveries` counts from 1; `seq` is the stream's, `consumer_seq` counts the consumer's
    deliveries from 1; `at_ms` is when the message was stored, in epoch milliseconds."""

    deliveries: int
    seq: int
    consumer_seq: int
    at_ms: int


def delivery_info(reply: str) -> DeliveryInfo:
    """Read a reply subject."""
    parts = reply.split(".")
    first = 4 if len(parts) == _SHORT else 6
    deliveries, seq, consumer_seq, at_ns = parts[first : first + 4]
    return DeliveryInfo(int(deliveries), int(seq), int(consumer_seq), int(at_ns) // 1_000_000)
