"""An httpx transport that connects only to addresses the policy allows.

The host name is resolved here, every address is checked, and the connection goes to a checked
address: were the name resolved again for connecting, it could by then stand for another address
(DNS rebinding).
"""

import asyncio
import functools
import ipaddress
import socket
import ssl
from types import TracebackType
from typing import Self

import httpx

from services.executor.policy import Address, Policy, Refused


class PolicyRefusedError(Exception):
    """The policy forbids the host; `decision` says by which rule."""

    def __init__(self, decision: Refused) -> None:
        super().__init__(decision.message)
        self.decision = decision


class ResolveError(Exception):
    """The host name could not be resolved; the message is the resolver's."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Resolves, checks, then connects to the addresses in turn until one accepts."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._inner = httpx.AsyncHTTPTransport(verify=_tls_context(), trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises PolicyRefusedError, ResolveError, httpx.InvalidURL, or what httpx raises."""
        host = request.url.host
        if (request.url.port or 0) > 65535:
            raise httpx.InvalidURL("the port is larger than 65535")
        addresses = await _resolve(host)
        for address in addresses:
            decision = self._policy.host(host, address)
            if isinstance(decision, Refused):
                raise PolicyRefusedError(decision)
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


async def _resolve(host: str) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ResolveError(str(error)) from error
    # A dict keeps the resolver's order, which is its order of preference.
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Certificates of the certifi bundle and of this host, so that a company's own are known."""
    context = httpx.create_ssl_context(trust_env=True)
    context.load_default_certs()
    return context
