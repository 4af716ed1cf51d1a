"""Serving the application over HTTP until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from services.gateway.settings import GatewaySettings

log = structlog.get_logger()

BACKLOG = 2_048
MAX_MESSAGE_BYTES = 64 * 1024
"""Largest message that a socket's client may send."""


class _Server(uvicorn.Server):
    """Signals are the lifecycle's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(settings: GatewaySettings) -> socket.socket:
    """A listening socket. Raises `OSError`, naming the setting, when it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.gateway_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.gateway_host, settings.gateway_port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno,
            f"cannot listen on {settings.gateway_host} port {settings.gateway_port} "
            f"({error.strerror}); set HIVE_GATEWAY_PORT (or HIVE_GATEWAY_HOST) to a free one",
        ) from error
    return listener


async def serve_until(
    stop: asyncio.Event, app: FastAPI, listener: socket.socket, grace_s: float
) -> None:
    """Serve; once `stop` is set take no new requests, give those in hand the grace, and return."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
