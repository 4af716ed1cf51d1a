"""Tells an outage of a server from any other error, so that a caller can be asked to try later."""

from __future__ import annotations

from typing import Final

from nats.errors import (
    ConnectionClosedError,
    ConnectionReconnectingError,
    NoRespondersError,
    NoServersError,
    OutboundBufferLimitError,
    StaleConnectionError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import NoStreamResponseError, ServiceUnavailableError
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError, WTimeoutError

_NATS: Final = (
    ConnectionClosedError,
    ConnectionReconnectingError,
    NatsTimeoutError,
    NoRespondersError,
    NoServersError,
    NoStreamResponseError,
    OutboundBufferLimitError,
    ServiceUnavailableError,
    StaleConnectionError,
)
_MONGO: Final = (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError, WTimeoutError)


def outage_of(error: BaseException) -> str | None:
    """`NATS` or `MongoDB` when the error means that this server is away; `None` otherwise."""
    if isinstance(error, _MONGO):
        return "MongoDB"
    # The adapters of NATS bound their waits with plain timeouts; MongoDB's driver has its own.
    return "NATS" if isinstance(error, (*_NATS, TimeoutError)) else None
