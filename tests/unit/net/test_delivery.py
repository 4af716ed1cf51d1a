"""What a message's raw headers tell."""

from __future__ import annotations

import pytest

from shared.adapters.nats.direct import Delivery

STORED = b"NATS/1.0\r\nNats-Msg-Id: t.x.1\r\nHive-Resent: 1\r\n\r\n"
OVER = b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 7\r\nNats-Pending-Bytes: 0\r\n\r\n"


def _delivery(headers: bytes) -> Delivery:
    return Delivery("a.b", "", b"", headers)


@pytest.mark.parametrize(
    ("headers", "name", "value"),
    [
        (STORED, "Hive-Resent", "1"),
        (STORED, "Nats-Msg-Id", "t.x.1"),
        (STORED, "Resent", None),
        (OVER, "Nats-Pending-Messages", "7"),
        (OVER, "Nats-Pending", None),
        (b"", "Hive-Resent", None),
    ],
)
def test_a_header_is_found_by_its_whole_name(headers: bytes, name: str, value: str | None) -> None:
    """A header's value is found by its whole name, and nothing else is taken for it."""
    assert _delivery(headers).header(name) == value


@pytest.mark.parametrize(
    ("headers", "status", "description"),
    [
        (b"", None, ""),
        (STORED, None, ""),
        (OVER, "408", "Request Timeout"),
        (b"NATS/1.0 100 Idle Heartbeat\r\n\r\n", "100", "Idle Heartbeat"),
        (b"NATS/1.0 503\r\n\r\n", "503", ""),
    ],
)
def test_the_servers_own_words_have_a_status(
    headers: bytes, status: str | None, description: str
) -> None:
    """A status line tells its code and words; what somebody published has none."""
    delivery = _delivery(headers)
    assert (delivery.status, delivery.description) == (status, description)
