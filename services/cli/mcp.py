"""`hv mcp`: the tools for AI agents over standard input and output."""

from __future__ import annotations

import asyncio
import sys

import typer

from services.cli.connection import Connection, find_connection
from services.cli.options import KeyFile, Url
from services.cli.outcome import told


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("mcp")(mcp)


@told
def mcp(url: Url = None, key_file: KeyFile = None) -> None:
    """Serve the Model Context Protocol on standard input and output, for AI agents that start it.

    It works with the gateway of this stack, or with the one at --url, under the given key.
    """
    connection = find_connection(url, key_file)
    if sys.stdin.isatty():
        typer.echo(
            f"hv mcp: serving {connection.url} on standard input; an AI agent's client starts "
            "this, see docs/how-to/mcp.md. End with Ctrl-D.",
            err=True,
        )
    asyncio.run(_serve(connection))


async def _serve(connection: Connection) -> None:
    import httpx
    from mcp.server.stdio import stdio_server

    from shared.mcp.api import GatewayApi
    from shared.mcp.server import build_server

    trust_env = not connection.is_local
    async with httpx.AsyncClient(base_url=connection.url, trust_env=trust_env) as http:
        api = GatewayApi(http, connection.key)
        server = build_server(lambda _context: api)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
