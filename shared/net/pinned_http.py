"""An httpx transport that connects only to addresses that were checked.

The host name is resolved here, every address is checked, and the connection goes to a checked
address: were the name resolved again for connecting, it could by then stand for another address
(DNS rebinding). No connection is used twice: the pool below knows addresses and not names, so two
hosts at one address would share what was verified for one of them.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import httpx

from shared.net.addresses import Address

Check = Callable[[str, Address], None]
"""Raises when this host may not be reached at this address."""
Resolve = Callable[[str], Awaitable[list[Address]]]
"""Every address of a host. Raises ResolveError."""

PORT_LIMIT: Final = 65_535
ADDRESSES_TRIED: Final = 8
"""Most addresses of one name that are tried."""


class ResolveError(Exception):
    """The host name could not be resolved; the message is the resolver's."""


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves, checks, then connects to the addresses in turn until one accepts."""

    def __init__(
        self, check: Check, resolver: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        """`resolver` is asked once for each request, by default this machine's; `tls` knows the
        authorities that are trusted, by default the usual ones."""
        self._check = check
        self._resolve = resolver or resolve
        self._inner = httpx.AsyncHTTPTransport(
            verify=tls or tls_context(),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises what the check raises, ResolveError, httpx.InvalidURL, or what httpx raises."""
        host = request.url.host
        if (request.url.port or 0) > PORT_LIMIT:
            raise httpx.InvalidURL(f"the port is larger than {PORT_LIMIT}")
        addresses = await self._resolve(host)
        for address in addresses:
            self._check(host, address)
        addresses = addresses[:ADDRESSES_TRIED]
        last_address = addresses.pop()
        for address in addresses:
            # Nothing has been sent when connecting fails, so the next address may be tried.
            try:
                return await self._send(request, host, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._send(request, host, last_address)

    async def _send(self, request: httpx.Request, host: str, address: Address) -> httpx.Response:
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            # TLS still names, and verifies, the host that was asked for.
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._inner.handle_async_request(pinned)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_value, traceback)


async def resolve(host: str) -> list[Address]:
    """Every address of a host, in the resolver's order of preference. Raises ResolveError."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ResolveError(str(error)) from error
    addresses = list(dict.fromkeys(_address(str(entry[4][0])) for entry in found))
    if not addresses:
        raise ResolveError(f"{host} has no address")
    return addresses


def _address(text: str) -> Address:
    """An address without the zone that a resolver may add to a link-local one."""
    return ipaddress.ip_address(text.partition("%")[0])


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Certificates of the certifi bundle and of this host, so that a company's own are known."""
    context = httpx.create_ssl_context(trust_env=True)
    context.load_default_certs()
    return context
