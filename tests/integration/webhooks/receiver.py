"""A receiver of webhooks: a real HTTP server that answers as it is told and remembers what came."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent in it."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Answers with the statuses in `answers`, in turn, then with 204."""

    url: str = ""
    port: int = 0
    answers: deque[int] = field(default_factory=deque)
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer_body: str = "as you say"
    silent: bool = False
    delay_s: float = 0.0
    answered: int = 0
    received: list[Received] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, fits: Callable[[list[Received]], bool]) -> list[Received]:
        """Wait until what was received fits; the tests' timeout bounds it."""
        async with self._changed:
            await self._changed.wait_for(lambda: fits(self.received))
        return self.received

    async def count(self, number: int) -> list[Received]:
        """Wait until so many have come."""
        return await self.until(lambda received: len(received) >= number)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of one connection."""
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the sender went away
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        async with self._changed:
            self.received.append(Received(request.split()[1], headers, body))
            self._changed.notify_all()
        if self.silent:
            await reader.read()
            return
        await asyncio.sleep(self.delay_s)
        status = self.answers.popleft() if self.answers else 204
        text = self.answer_body if status >= 300 else ""
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.answer_headers.items())
        writer.write(
            f"HTTP/1.1 {status} X\r\n{extra}content-length: {len(text)}\r\n"
            f"connection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()
        self.answered += 1


@asynccontextmanager
async def running_receiver(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver on a (free) port of this machine."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    receiver.url = f"http{'s' if tls else ''}://{host}:{receiver.port}/hook"
    async with server:
        yield receiver
        server.close()
