"""A gateway in this process on real servers, called through real HTTP semantics, and somebody who
plays the coordinator: it runs the core and writes what the coordinator would write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from services.gateway.app import create_app
from services.gateway.bootstrap import build_parts, prepare
from services.gateway.gateway import Gateway
from services.gateway.settings import GatewaySettings
from shared.adapters.mongo.connection import Mongo
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.contracts.api.keys import NewKey, Role


@dataclass(frozen=True)
class World:
    """A running gateway; `client` acts with the first admin key."""

    app: FastAPI
    gateway: Gateway
    bus: Bus
    mongo: Mongo
    client: httpx.AsyncClient
    home: Path

    async def as_role(
        self, role: str, name: str = "", groups: tuple[str, ...] = ()
    ) -> httpx.AsyncClient:
        """A client that acts with a new key of this role."""
        wanted = NewKey(name=name or f"test-{role}", role=Role(role), groups=groups)
        issued = await self.gateway.keys.issue(wanted, by="test")
        return client_of(self.app, issued.secret)


def client_of(app: FastAPI, secret: str | None) -> httpx.AsyncClient:
    """An HTTP client of an application in this process."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)


@asynccontextmanager
async def open_world(
    nats_url: str, mongo_url: str, home: Path, **settings: Any
) -> AsyncIterator[World]:
    """Start a gateway on these servers; settings as keywords without the prefix."""
    bus = await connect(nats_url, "gateway test")
    await ensure_streams(bus)
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    mongo = Mongo(mongo_url, journaled=False)
    chosen = GatewaySettings(nats_url=nats_url, mongo_url=mongo_url, home=home, **settings)
    gateway = Gateway.of(await build_parts(bus, mongo, publisher), chosen)
    await prepare(gateway)
    await gateway.start()
    app = create_app(gateway)
    secret = (home / "admin.key").read_text(encoding="utf-8").strip()
    try:
        async with client_of(app, secret) as client:
            yield World(app, gateway, bus, mongo, client, home)
    finally:
        await gateway.close()
        await publisher.close()
        await bus.close()
        await mongo.close()
