"""The way to `/mcp`: what speaks the protocol is loaded when somebody first calls.

It is a quarter of a gateway's memory (about 20 MiB), and many gateways never speak it.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.settings import GatewaySettings

PATH: Final = "/mcp"
DOOR: Final = "services.gateway.mcp.door"


class McpDoorway:
    """An ASGI application. `path` names its route in logs and metrics."""

    path: Final = PATH

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        """`app` is the gateway's application, which tools call."""
        self._app = app
        self._settings = settings
        self._lock = asyncio.Lock()
        self._door: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the first one waits for the door to be there."""
        scope["route"] = self
        async with self._lock:
            if self._door is None:
                self._door = await self._made()
        await self._door(scope, receive, send)

    async def _made(self) -> ASGIApp:
        """The import takes half a second, so it is done beside the event loop."""
        module = await asyncio.to_thread(import_module, DOOR)
        made: ASGIApp = module.McpDoor(self._app, self._settings)
        return made
