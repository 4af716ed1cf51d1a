"""Who may subscribe to what, where webhooks may point, and what stays secret."""

import stat
from typing import Any

import pytest

from services.gateway.webhooks.sending import Sender
from services.gateway.webhooks.targets import TargetRules
from shared.runtime.clock import SystemClock
from tests.contract.webhooks.samples import queued
from tests.integration.gateway_world import World, client_of
from tests.integration.webhooks.conftest import happened, subscribe
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("role", ["viewer", "agent"])
async def test_roles_are_respected(world: World, receiver: Receiver, role: str) -> None:
    """Webhooks carry what happens out of the house: operators and admins only."""
    client = await world.as_role(role)
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/dead-letters"), ("DELETE", "/wh_1")):
        answer = await client.request(
            method, f"/api/v1/webhooks{path}", json={"url": receiver.url} if path == "" else None
        )
        assert answer.status_code == 403, (method, path)
    assert (await client_of(world.app, None).get("/api/v1/webhooks")).status_code == 401


async def test_the_audit_trail_is_for_admins(world: World, receiver: Receiver) -> None:
    """An operator cannot subscribe to it, nor get it through `*`; an admin can."""
    operator = await world.as_role("operator")
    wanted: dict[str, Any] = {"url": receiver.url, "filter": {"events": ["audit.*"]}}
    refused = await operator.post("/api/v1/webhooks", json=wanted)
    assert refused.status_code == 403
    assert "audit" in refused.json()["detail"]
    everything = {**wanted, "url": receiver.url + "/all", "filter": {"events": ["*"]}}
    assert (await operator.post("/api/v1/webhooks", json=everything)).status_code == 201
    await subscribe(world, receiver.url + "/audit", filter={"events": ["audit.*"]})
    marker = await happened(world, "agent.joined")
    await receiver.until(
        lambda got: (
            {"/hook/all", "/hook/audit"} <= {r.path for r in got}
            and any(r.event["id"] == marker.id for r in got)
        )
    )
    kinds = {(r.path, r.event["type"].split(".")[1]) for r in receiver.received}
    assert ("/hook/audit", "audit") in kinds
    assert ("/hook/all", "audit") not in kinds


async def test_a_name_is_judged_by_its_address(receiver: Receiver) -> None:
    """The sender resolves the name itself and connects to nothing that it did not check."""
    sender = Sender(TargetRules(allow_http=True), 5.0, SystemClock())
    url = receiver.url.replace("127.0.0.1", "localhost")
    sent = await sender.send(url, ["whsec_eHg="], queued(1).delivery, "{}")
    await sender.close()
    assert sent.attempt.error.startswith("not called: localhost is at")
    assert receiver.received == []


async def test_the_secret_is_shown_once(
    world: World, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is neither in later answers nor, in clear, in the database, nor in the log."""
    webhook_id, secret = await subscribe(world, receiver.url)
    assert secret.startswith("whsec_")
    assert (await world.client.post(f"/api/v1/webhooks/{webhook_id}/test")).status_code == 200
    for path in ("", f"/{webhook_id}", f"/{webhook_id}/deliveries"):
        assert secret not in (await world.client.get(f"/api/v1/webhooks{path}")).text
    async for document in world.mongo.database["webhooks"].find():
        assert secret not in str(document)
        assert "sealed:v1:" in document["sealed_secret"]
    written = capsys.readouterr()
    assert webhook_id in written.out
    assert secret not in written.out + written.err
    mode = (world.home / "webhooks.key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "https://example.com", "filter": {"events": []}}, "filter/events"),
        ({"url": "https://example.com", "filter": {"events": ["bad"]}}, "filter/events/0"),
        (
            {"url": "https://example.com", "filter": {"templates": ["Not A Slug"]}},
            "filter/templates/0",
        ),
        ({"url": "https://example.com", "secret": "mine"}, "secret"),
        ({"url": "https://example.com/" + "x" * 3_000}, "url"),
    ],
)
async def test_bad_requests_name_their_field(
    world: World, body: dict[str, Any], field: str
) -> None:
    """Each is a 422 with the field and what to do."""
    answer = await world.client.post("/api/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert field in {error["field"] for error in answer.json()["errors"]}
