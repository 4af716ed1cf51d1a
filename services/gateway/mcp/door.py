"""`/mcp`: Streamable HTTP without sessions, for callers with an API key.

Every request is served on its own, so any gateway can answer any of them, and there is no session
that could be taken over. What a tool does, it does by a request to the REST API of this same
application, within the process and with the caller's key.
"""

from __future__ import annotations

from typing import Any

import httpx
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.access import authenticate, secret_of
from services.gateway.mcp import origins
from services.gateway.mcp.doorway import PATH
from services.gateway.middleware.answers import send_problem
from services.gateway.problems import ProblemError, problem
from services.gateway.settings import GatewaySettings
from shared.mcp.api import GatewayApi
from shared.mcp.server import Context, build_server


class McpDoor:
    """An ASGI application."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        """`app` is the gateway's application, which tools call."""
        self._known = origins.allowed(settings)
        self._max_bytes = settings.gateway_max_body_bytes
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://gateway",
        )
        self._server: Server[Any] = build_server(self._api_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of a known caller; 401, 403, 405, 421 and 429 otherwise."""
        try:
            origins.check(Headers(scope=scope), self._known)
            await authenticate(HTTPConnection(scope))
            _check_method(scope["method"])
        except ProblemError as error:
            await send_problem(error, scope, receive, send)
            return
        manager = StreamableHTTPSessionManager(
            self._server,
            stateless=True,
            security_settings=self._known,
            max_request_body_size=self._max_bytes,
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    def _api_of(self, context: Context) -> GatewayApi:
        """The REST API, called with the key of the request that a message came in."""
        if not isinstance(context.request, HTTPConnection):
            raise TypeError("a message came without the request that carries its key")
        return GatewayApi(self._http, secret_of(context.request) or "")


def _check_method(method: str) -> None:
    """Raises 405. Without sessions there is no stream to listen to (GET) and none to end (DELETE);
    the protocol's answer to both is this one, and clients do without."""
    if method != "POST":
        raise problem(
            "method-not-allowed",
            f"{method} is not possible at {PATH}, which has no sessions. Send messages by POST.",
            headers={"Allow": "POST"},
        )
