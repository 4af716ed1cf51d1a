"""`hv webhooks` as a process, against a gateway that listens."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook as Verifier

from services.gateway.server import listen, serve_until
from services.gateway.settings import GatewaySettings
from tests.integration.gateway_world import World
from tests.integration.webhooks.conftest import happened, settled
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPO = Path(__file__).resolve().parents[3]


@pytest_asyncio.fixture(loop_scope="module")
async def address(world: World) -> AsyncIterator[str]:
    stop = asyncio.Event()
    listener = listen(GatewaySettings(gateway_port=0))
    serving = asyncio.create_task(serve_until(stop, world.app, listener, 1))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    await serving
    listener.close()


async def hv(world: World, address: str, *arguments: str, code: int = 0) -> str:
    """What `hv webhooks` says on standard output, and that it ends as expected."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "webhooks", *arguments),
        cwd=REPO,
        env={"PATH": os.environ["PATH"], "HIVE_HOME": str(world.home), "HIVE_URL": address},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return out.decode()


async def hv_json(world: World, address: str, *arguments: str) -> Any:
    return json.loads(await hv(world, address, *arguments, "--json"))


async def test_the_life_of_a_webhook(world: World, address: str, receiver: Receiver) -> None:
    """Made, tried out, failing, sent again, removed: all from the terminal."""
    made = await hv_json(world, address, "create", receiver.url, "-e", "execution.*")
    webhook_id, secret = made["webhook"]["id"], made["secret"]
    await hv(world, address, "test", webhook_id)
    Verifier(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    receiver.answers.append(500)
    await hv(world, address, "test", webhook_id, code=1)
    receiver.answers.extend([500] * 4)
    await happened(world)
    (dead,) = await settled(world, webhook_id, "dead")
    assert dead["id"] in await hv(world, address, "dead-letters")
    await hv(world, address, "redeliver", dead["id"])
    await settled(world, webhook_id, "delivered", 2)
    log = await hv_json(world, address, "deliveries", webhook_id, "--status", "delivered")
    assert len(log["items"]) == 2
    assert webhook_id in await hv(world, address, "list")
    moved = await hv_json(world, address, "update", webhook_id, "--to", receiver.url + "/new")
    assert (moved["url"], moved["filter"]["events"]) == (receiver.url + "/new", ["execution.*"])
    narrowed = await hv_json(world, address, "update", webhook_id, "-e", "step.failed")
    assert narrowed["filter"]["events"] == ["step.failed"]
    rotated = await hv_json(world, address, "rotate-secret", webhook_id, "--overlap", "60")
    await hv(world, address, "test", webhook_id)
    for one in (secret, rotated["secret"]):
        Verifier(one).verify(receiver.received[-1].body, receiver.received[-1].headers)
    assert (await hv_json(world, address, "enable", webhook_id))["status"] == "enabled"
    await hv(world, address, "delete", webhook_id)
    assert await hv_json(world, address, "list") == []


async def test_bad_input_is_explained(world: World, address: str) -> None:
    """What the gateway or the command refuses ends with a code of its own."""
    refused = await hv(world, address, "create", "https://x.example", "-e", "bad", "--json", code=2)
    assert "filter/events/0" in refused
    misspelt = await hv(
        world, address, "create", "https://x.example", "-e", "step.faild", "--json", code=2
    )
    assert "did you mean 'step.failed'?" in misspelt
    assert "nothing is to be changed" in await hv(
        world, address, "update", "wh_none", "--json", code=2
    )
    await hv(world, address, "delete", "wh_none", code=2)
