"""Events reach receivers: signed, in their envelope, tried again, given up, sent again."""

import base64
import json

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from tests.integration.gateway_world import World
from tests.integration.webhooks.conftest import (
    happened,
    settled,
    store_template,
    subscribe,
    webhook_of,
)
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_event_arrives_signed_and_in_its_envelope(
    world: World, receiver: Receiver
) -> None:
    """The body is a CloudEvent, and the library of Standard Webhooks finds the signature right."""
    webhook_id, secret = await subscribe(world, receiver.url)
    event = await happened(world)
    (received,) = await receiver.count(1)
    verified = Verifier(secret).verify(received.body, received.headers)
    assert verified["specversion"] == "1.0"
    assert (verified["id"], verified["type"]) == (event.id, "hive.execution.completed")
    assert (verified["source"], verified["subject"]) == ("urn:haivemind:workflows", "ex_1")
    assert verified["time"].endswith("Z")
    assert verified["data"] == {"outputs": {"x": 1}}
    assert (verified["templateid"], verified["eventversion"]) == ("deploy", 7)
    assert received.headers["content-type"].startswith("application/cloudevents+json")
    (logged,) = await settled(world, webhook_id, "delivered")
    assert logged["id"] == received.headers["webhook-id"]
    assert logged["attempts"][0]["status_code"] == 204


async def test_a_changed_body_is_found_out(world: World, receiver: Receiver) -> None:
    """A signature fits one body, one secret and one id."""
    _, secret = await subscribe(world, receiver.url)
    await happened(world)
    (received,) = await receiver.count(1)
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for body, headers, used in (
        (received.body + b" ", received.headers, secret),
        (received.body, received.headers, other),
        (received.body, {**received.headers, "webhook-id": "msg_other"}, secret),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(used).verify(body, headers)


async def test_only_what_was_asked_for_is_sent(world: World, receiver: Receiver) -> None:
    """Type, template and category filter."""
    await store_template(world, "deploy")
    wanted = {"events": ["step.*", "execution.failed"], "templates": ["deploy"]}
    await subscribe(world, receiver.url, filter=wanted)
    await happened(world, "execution.completed")
    await happened(world, "step.failed", template_id="other")
    await happened(world, "step.lost", template_id=None)
    one = await happened(world, "step.failed")
    other = await happened(world, "execution.failed")
    received = await receiver.count(2)
    assert {r.event["id"] for r in received} == {one.id, other.id}


async def test_a_failure_is_tried_again_with_the_same_id_and_body(
    world: World, receiver: Receiver
) -> None:
    """Attempts go on until one is answered with 2xx; all of them are in the log."""
    webhook_id, secret = await subscribe(world, receiver.url)
    receiver.answers.extend([500, 302])
    receiver.answer_headers["location"] = receiver.url + "/elsewhere"
    await happened(world)
    received = await receiver.count(3)
    assert len({(r.headers["webhook-id"], r.body) for r in received}) == 1
    assert {r.path for r in received} == {"/hook"}, "redirects are not followed"
    Verifier(secret).verify(received[-1].body, received[-1].headers)
    (logged,) = await settled(world, webhook_id, "delivered")
    assert [a["status_code"] for a in logged["attempts"]] == [500, 302, 204]
    assert logged["attempts"][0]["error"] == "answered 500: as you say"
    assert "redirects" in logged["attempts"][1]["error"]


async def test_what_is_given_up_can_be_sent_again(world: World, receiver: Receiver) -> None:
    """After the last attempt a delivery is a dead letter; redelivery sends the same again."""
    webhook_id, _ = await subscribe(world, receiver.url)
    receiver.answers.extend([503] * 4)
    await happened(world)
    (dead,) = await settled(world, webhook_id, "dead")
    assert (dead["attempt"], dead["reason"]) == (4, "answered 503: as you say")
    letters = (await world.client.get("/api/v1/webhooks/dead-letters")).json()["items"]
    assert [letter["id"] for letter in letters] == [dead["id"]]
    path = f"/api/v1/webhooks/dead-letters/{dead['id']}/redeliver"
    answer = await world.client.post(path)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    received = await receiver.count(5)
    assert len({(r.headers["webhook-id"], r.body) for r in received}) == 1
    (delivered,) = await settled(world, webhook_id, "delivered")
    assert len(delivered["attempts"]) == 5
    again = await world.client.post(path)
    assert again.status_code == 409
    assert "not dead" in again.json()["detail"]


async def test_a_receiver_that_is_gone_is_left_alone(world: World, receiver: Receiver) -> None:
    """An answer of 410 disables at once and says so with an event; enabling starts afresh."""
    webhook_id, _ = await subscribe(
        world, receiver.url, filter={"events": ["execution.*", "webhook.*"]}
    )
    others_id, _ = await subscribe(world, receiver.url + "/2", filter={"events": ["webhook.*"]})
    receiver.answers.append(410)
    await happened(world)
    received = await receiver.until(lambda got: any(r.path == "/hook/2" for r in got))
    told = received[-1].event
    assert (told["type"], told["data"]["webhook_id"]) == ("hive.webhook.disabled", webhook_id)
    await settled(world, others_id, "delivered")
    webhook = await webhook_of(world, webhook_id)
    assert webhook["status"] == "disabled"
    assert "410" in webhook["disabled_reason"]
    (dead,) = await settled(world, webhook_id, "dead")
    path = f"/api/v1/webhooks/dead-letters/{dead['id']}/redeliver"
    assert (await world.client.post(path)).status_code == 409, "a disabled one is sent nothing"
    enabled = await world.client.post(f"/api/v1/webhooks/{webhook_id}/enable")
    assert enabled.json()["status"] == "enabled"
    assert (await world.client.post(path)).status_code == 202
    await settled(world, webhook_id, "delivered")


async def test_long_answers_are_cut(world: World, receiver: Receiver) -> None:
    """Of what a receiver answers, a bounded part is kept, on one line."""
    webhook_id, _ = await subscribe(world, receiver.url)
    receiver.answers.append(400)
    receiver.answer_body = "bad\x1b[31m\n" + "x" * 100_000
    delivery = (await world.client.post(f"/api/v1/webhooks/{webhook_id}/test")).json()
    error = delivery["attempts"][0]["error"]
    assert error.startswith("answered 400: bad [31m xxx")
    assert len(error) == 500


async def test_a_webhook_can_be_tried_out(world: World, receiver: Receiver) -> None:
    """A test is sent once, whatever the filter, and counts for nothing."""
    webhook_id, secret = await subscribe(world, receiver.url)
    path = f"/api/v1/webhooks/{webhook_id}/test"
    worked = (await world.client.post(path)).json()
    assert (worked["status"], worked["test"]) == ("delivered", True)
    assert Verifier(secret).verify(receiver.received[0].body, receiver.received[0].headers)[
        "type"
    ] == ("hive.webhook.test")
    receiver.answers.append(500)
    failed = (await world.client.post(path)).json()
    assert (failed["status"], len(failed["attempts"])) == ("failed", 1)
    assert (await webhook_of(world, webhook_id))["consecutive_failures"] == 0


async def test_a_removed_webhook_gets_nothing(world: World, receiver: Receiver) -> None:
    """Removing a webhook forgets its deliveries; events go on without it."""
    webhook_id, _ = await subscribe(world, receiver.url)
    kept_id, _ = await subscribe(world, receiver.url + "/kept")
    gone = await world.client.delete(f"/api/v1/webhooks/{webhook_id}")
    assert gone.json() == {"id": webhook_id}
    await happened(world)
    await settled(world, kept_id, "delivered")
    assert [r.path for r in receiver.received] == ["/hook/kept"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/test")):
        answer = await world.client.request(method, f"/api/v1/webhooks/{webhook_id}{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:hive:problem:not-found")


async def test_pages_of_the_log(world: World, receiver: Receiver) -> None:
    """The log is given page by page, newest first."""
    webhook_id, _ = await subscribe(world, receiver.url)
    for _ in range(3):
        await happened(world)
    whole = [d["id"] for d in await settled(world, webhook_id, "delivered", 3)]
    path = f"/api/v1/webhooks/{webhook_id}/deliveries"
    first = (await world.client.get(path, params={"limit": 2})).json()
    rest = (await world.client.get(path, params={"cursor": first["next_cursor"]})).json()
    assert [d["id"] for d in first["items"] + rest["items"]] == whole
    assert json.dumps(first).count("outputs") == 0, "bodies are not in the log"
