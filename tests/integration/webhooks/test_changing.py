"""Webhooks that change: another address or filter, a new secret, names that do not exist."""

from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from tests.integration.gateway_world import World
from tests.integration.webhooks.conftest import (
    happened,
    settled,
    subscribe,
    webhook_of,
)
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEBHOOKS = "/api/v1/webhooks"


async def test_an_update_changes_what_it_names(world: World, receiver: Receiver) -> None:
    """Address and filter change from the next event on; what is left out stays, id and secret
    too."""
    webhook_id, secret = await subscribe(world, receiver.url, description="ours")
    changes = {"url": receiver.url + "/moved", "filter": {"events": ["step.failed"]}}
    answer = await world.client.patch(f"{WEBHOOKS}/{webhook_id}", json=changes)
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["url"], changed["description"]) == (changes["url"], "ours")
    assert changed["changed_at_ms"] > 0
    assert await webhook_of(world, webhook_id) == changed
    await happened(world, "execution.completed")
    wanted = await happened(world, "step.failed")
    await settled(world, webhook_id, "delivered")
    (received,) = receiver.received
    assert (received.path, received.event["id"]) == ("/hook/moved", wanted.id)
    Verifier(secret).verify(received.body, received.headers)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "body"),
        ({"url": "https://user:pw@example.com/"}, "url"),
        ({"url": "x", "secret": "mine"}, "secret"),
        ({"filter": {"events": ["step.fialed"]}}, "filter/events/0"),
    ],
)
async def test_an_update_is_checked_like_a_new_one(
    world: World, receiver: Receiver, changes: dict[str, Any], field: str
) -> None:
    """What could not be made cannot come about by a change either, and nothing changes."""
    webhook_id, _ = await subscribe(world, receiver.url)
    before = await webhook_of(world, webhook_id)
    answer = await world.client.patch(f"{WEBHOOKS}/{webhook_id}", json=changes)
    assert answer.status_code == 422
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert await webhook_of(world, webhook_id) == before


async def test_both_secrets_fit_while_they_overlap(world: World, receiver: Receiver) -> None:
    """After a rotation deliveries verify with the new and with the old secret, and the new one is
    in its answer alone."""
    webhook_id, old = await subscribe(world, receiver.url)
    rotated = await world.client.post(f"{WEBHOOKS}/{webhook_id}/rotate-secret")
    assert rotated.status_code == 200, rotated.text
    new, webhook = rotated.json()["secret"], rotated.json()["webhook"]
    assert new != old
    assert webhook["old_secret_until_ms"] - webhook["rotated_at_ms"] == 86_400_000
    await happened(world)
    (received,) = await receiver.count(1)
    for secret in (old, new):
        Verifier(secret).verify(received.body, received.headers)
    shown = await world.client.get(f"{WEBHOOKS}/{webhook_id}")
    assert new not in shown.text


async def test_a_secret_that_leaked_ends_at_once(world: World, receiver: Receiver) -> None:
    """Without an overlap the old secret signs nothing more."""
    webhook_id, old = await subscribe(world, receiver.url)
    rotated = await world.client.post(
        f"{WEBHOOKS}/{webhook_id}/rotate-secret", json={"overlap_s": 0}
    )
    await happened(world)
    (received,) = await receiver.count(1)
    Verifier(rotated.json()["secret"]).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(received.body, received.headers)


async def test_nobody_turns_the_audit_trail_to_himself(world: World, receiver: Receiver) -> None:
    """An operator cannot change an admin's webhook that carries the audit trail, give it a new
    secret, or add the trail to another."""
    admins, _ = await subscribe(world, receiver.url, filter={"events": ["audit.*"]})
    plain, _ = await subscribe(world, receiver.url)
    operator = await world.as_role("operator", "curious")
    for method, path, body in (
        ("PATCH", admins, {"url": receiver.url + "/mine"}),
        ("POST", f"{admins}/rotate-secret", {}),
        ("PATCH", plain, {"filter": {"events": ["audit.issue_key"]}}),
    ):
        answer = await operator.request(method, f"{WEBHOOKS}/{path}", json=body)
        assert answer.status_code == 403, (method, path)
    assert (await operator.patch(f"{WEBHOOKS}/{plain}", json={"description": "x"})).is_success
    await operator.aclose()


async def test_what_is_not_there_cannot_change(world: World) -> None:
    """An unknown webhook is a 404 for both ways to change one."""
    for method, path in (("PATCH", "wh_0"), ("POST", "wh_0/rotate-secret")):
        answer = await world.client.request(
            method, f"{WEBHOOKS}/{path}", json={"url": "https://x"} if method == "PATCH" else {}
        )
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:hive:problem:not-found")


@pytest.mark.parametrize(
    ("wanted", "field", "fix"),
    [
        ({"events": ["execution.complete"]}, "filter/events/0", "'execution.completed'"),
        ({"events": ["*", "exection.*"]}, "filter/events/1", "'execution.*'"),
        ({"events": ["audit.isue_key"]}, "filter/events/0", "'audit.issue_key'"),
        ({"templates": ["incident_respons"]}, "filter/templates/0", "'incident_response'"),
        ({"categories": ["security", "knowlege"]}, "filter/categories/1", "'knowledge'"),
    ],
)
async def test_a_name_that_does_not_exist_is_refused(
    world: World, receiver: Receiver, wanted: dict[str, Any], field: str, fix: str
) -> None:
    """A filter that can never fire is a 422 with the field and the nearest name; none is made."""
    body = {"url": receiver.url, "filter": wanted}
    answer = await world.client.post(WEBHOOKS, json=body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert fix in error["fix"]
    assert (await world.client.get(WEBHOOKS)).json()["items"] == []
