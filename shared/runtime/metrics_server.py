"""A small HTTP door for services that have no other: `/metrics`, `/health/live`, `/health/ready`.

It runs on the service's own event loop, so that a stuck loop fails its health check. It answers
GET and HEAD, one request a connection, and nothing it reads from a client is longer than
`MAX_HEAD_BYTES` or waited for longer than `CLIENT_TIMEOUT_S`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from shared.runtime.health import Probe, check_readiness

log = structlog.get_logger()

LOOPBACK: Final = "127.0.0.1"
MAX_HEAD_BYTES: Final = 8 * 1024
CLIENT_TIMEOUT_S: Final = 5.0
MAX_CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    content_type: str
    body: bytes


class MetricsServer:
    """Serves one registry. Port 0 takes a free port, which `port` then tells and the log shows."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        probes: Mapping[str, Probe] | None = None,
    ) -> None:
        """Nothing listens until `start`. `probes` decide about `/health/ready`."""
        self._registry = registry
        self._host = host
        self._wanted_port = port
        self._probes = probes or {}
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on. Raises `RuntimeError` before `start`."""
        if self._server is None:
            raise RuntimeError("the metrics server has no port before it was started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises `OSError`, naming the setting, when the port is taken."""
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._wanted_port, limit=MAX_HEAD_BYTES
            )
        except OSError as error:
            raise OSError(
                error.errno,
                f"the metrics port {self._wanted_port} on {self._host} cannot be used "
                f"({error.strerror}); set HIVE_METRICS_PORT to a free port, or to 0 for any",
            ) from error
        log.info("metrics server listens", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Stop listening; answers under way are finished by their own timeout."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._slots.locked():
                await _send(writer, _text(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"))
                return
            async with self._slots, asyncio.timeout(CLIENT_TIMEOUT_S):
                await self._answer_one(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            log.debug("metrics client went away", error=str(error) or type(error).__name__)
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            await _send(writer, _text(status, f"a request head has at most {MAX_HEAD_BYTES} bytes"))
            return
        method, path, accept = _parse(head)
        if method not in {"GET", "HEAD"}:
            answer = _text(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered here")
        else:
            answer = await self._answer(path, accept)
        await _send(writer, answer, with_body=method != "HEAD")

    async def _answer(self, path: str, accept: str) -> _Answer:
        if path == "/metrics":
            encode, content_type = choose_encoder(accept)
            body = await asyncio.to_thread(encode, self._registry)
            return _Answer(HTTPStatus.OK, content_type, body)
        if path == "/health/live":
            return _json(HTTPStatus.OK, {"status": "live"})
        if path == "/health/ready":
            readiness = await check_readiness(self._probes)
            status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
            word = "ready" if readiness.ready else "not ready"
            return _json(status, {"status": word, "checks": dict(readiness.checks)})
        return _text(HTTPStatus.NOT_FOUND, "try /metrics, /health/live or /health/ready")


def _parse(head: bytes) -> tuple[str, str, str]:
    """Method, path without its query, and the Accept header of a request's head."""
    lines = head.decode("latin-1").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    path = rest.split(" ", 1)[0].partition("?")[0]
    headers = (line.partition(":") for line in lines[1:])
    accept = next((value.strip() for name, _, value in headers if name.lower() == "accept"), "")
    return method, path, accept


def _text(status: HTTPStatus, sentence: str) -> _Answer:
    return _Answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())


def _json(status: HTTPStatus, body: Mapping[str, object]) -> _Answer:
    return _Answer(status, "application/json", json.dumps(body).encode() + b"\n")


async def _send(writer: asyncio.StreamWriter, answer: _Answer, *, with_body: bool = True) -> None:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode("latin-1") + (answer.body if with_body else b""))
    await writer.drain()
