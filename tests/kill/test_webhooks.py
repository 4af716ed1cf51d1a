"""kill -9 of a gateway in the middle of deliveries: each event still arrives, under one id."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from ops.stack.servers import embedded_servers
from shared.adapters.nats.connection import connect
from shared.adapters.nats.events import NatsEventSink
from shared.adapters.nats.publisher import Publisher
from shared.contracts.events import PublicEvent
from tests.integration.gateway_process import GatewayProcess
from tests.integration.webhooks.receiver import Receiver, running_receiver

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.timeout(180)]

EVENTS = 150
WEBHOOKS = "/api/v1/webhooks"
SETTINGS = {
    "webhook_allow_private": "true",
    "webhook_allow_http": "true",
    "webhook_timeout_s": 2,
    "webhook_retry_s": "1,1,1",
}


@dataclass
class World:
    """Two gateways of one home, and the receiver that their one webhook points to."""

    gateways: list[GatewayProcess]
    sink: NatsEventSink
    receiver: Receiver
    webhook_id: str = ""
    secret: str = ""

    async def subscribe(self) -> None:
        """One webhook for all that happens to executions."""
        body = {"url": self.receiver.url, "filter": {"events": ["execution.*"]}}
        async with self.gateways[0].client() as client:
            issued = (await client.post(WEBHOOKS, json=body)).json()
        self.webhook_id, self.secret = issued["webhook"]["id"], issued["secret"]

    async def happen(self) -> set[str]:
        """Publish the events, as a coordinator would; their ids."""
        now_ms = time.time_ns() // 1_000_000
        events = [
            PublicEvent(
                id=f"ex_{n:04d}.1", type="execution.completed", at_ms=now_ms, execution_id=f"ex_{n}"
            )
            for n in range(EVENTS)
        ]
        await asyncio.gather(*(self.sink.publish(event) for event in events))
        return {event.id for event in events}

    async def log(self, gateway: GatewayProcess) -> list[dict[str, Any]]:
        """Every delivery, as a gateway tells it."""
        async with gateway.client() as client:
            path = f"{WEBHOOKS}/{self.webhook_id}/deliveries"
            found: list[dict[str, Any]] = (await client.get(path, params={"limit": 200})).json()[
                "items"
            ]
        return found

    async def all_delivered(self, gateway: GatewayProcess) -> list[dict[str, Any]]:
        """Wait until every delivery has ended well."""
        while True:
            found = await self.log(gateway)
            if len(found) == EVENTS and all(one["status"] != "pending" for one in found):
                return found
            await asyncio.sleep(0.2)


@asynccontextmanager
async def running_world(home: Path) -> AsyncIterator[World]:
    with embedded_servers(home / "servers", durability="relaxed") as servers:
        gateways = [GatewayProcess(servers, home, f"gateway-{n}", **SETTINGS) for n in range(2)]
        bus = await connect(servers.nats_url("admin"), "kill test")
        publisher = Publisher(bus, grouped=False)
        await publisher.start()
        try:
            async with running_receiver() as receiver:
                await gateways[0].start()
                yield World(gateways, NatsEventSink(publisher), receiver)
        finally:
            for gateway in gateways:
                await gateway.stop()
            await publisher.close()
            await bus.close()


async def comes_back(world: World) -> GatewayProcess:
    """The only gateway dies and is started again."""
    await world.gateways[0].kill()
    await world.gateways[0].start()
    return world.gateways[0]


async def another_takes_over(world: World) -> GatewayProcess:
    """One of two gateways dies for good."""
    await world.gateways[1].start()
    await world.gateways[0].kill()
    return world.gateways[1]


@pytest.mark.long
@pytest.mark.parametrize("strike", [comes_back, another_takes_over])
async def test_deliveries_outlive_their_gateway(
    strike: Callable[[World], Awaitable[GatewayProcess]], tmp_path: Path
) -> None:
    """Each event arrives at least once, always under the same id and with a signature that fits;
    the attempts that were cut off are not counted, and nothing becomes a dead letter."""
    async with running_world(tmp_path) as world:
        await world.subscribe()
        world.receiver.delay_s = 0.3
        events = await world.happen()
        await world.receiver.count(20)
        under_way = len(world.receiver.received) - world.receiver.answered
        assert under_way, "the gateway must die in the middle of attempts"
        survivor = await strike(world)
        world.receiver.delay_s = 0.0
        log = await world.all_delivered(survivor)
        assert {one["status"] for one in log} == {"delivered"}
        assert all(len(one["attempts"]) == 1 for one in log)
        ids: dict[str, set[str]] = defaultdict(set)
        for received in world.receiver.received:
            Verifier(world.secret).verify(received.body, received.headers)
            ids[received.event["id"]].add(received.headers["webhook-id"])
        assert set(ids) == events
        assert all(len(found) == 1 for found in ids.values())
