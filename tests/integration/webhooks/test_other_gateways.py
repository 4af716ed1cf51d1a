"""Webhooks through restarts, shared by gateways, and under other settings."""

import asyncio
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from tests.integration.gateway_fixtures import executor
from tests.integration.webhooks.conftest import (
    NewWorld,
    attempted,
    happened,
    log_of,
    settled,
    store_template,
    subscribe,
    webhook_of,
)
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_deliveries_survive_a_restart(new_world: NewWorld, receiver: Receiver) -> None:
    """What one gateway did not get rid of, the next one sends."""
    async with new_world(webhook_retry_s=(1.0,) * 5) as first:
        webhook_id, secret = await subscribe(first, receiver.url)
        receiver.answers.append(500)
        await happened(first)
        await receiver.count(1)
        await attempted(first, webhook_id)
    async with new_world() as second:
        received = await receiver.count(2)
        await settled(second, webhook_id, "delivered")
    Verifier(secret).verify(received[1].body, received[1].headers)


async def test_events_while_no_gateway_runs_are_sent_later(
    new_world: NewWorld, receiver: Receiver
) -> None:
    """The place in the stream of events is kept by the server."""
    async with new_world() as first:
        await subscribe(first, receiver.url)
        await happened(first)
        await receiver.count(1)
        await first.gateway.webhooks.close()
        missed = await happened(first)
    async with new_world():
        await receiver.until(lambda received: received[-1].event["id"] == missed.id)


async def test_gateways_share_the_work(new_world: NewWorld, receiver: Receiver) -> None:
    """Two gateways together send every event once."""
    async with new_world() as one, new_world() as other:
        webhook_id, _ = await subscribe(one, receiver.url)
        events = [await happened(other) for _ in range(40)]
        await settled(one, webhook_id, "delivered", 40)
        assert sorted(r.event["id"] for r in receiver.received) == sorted(e.id for e in events)


async def test_stopping_gives_up_what_takes_too_long(
    new_world: NewWorld, receiver: Receiver
) -> None:
    """An attempt that outlasts the grace is cut off uncounted, and is due at once for the next
    gateway, under the same id."""
    patient = {"webhook_timeout_s": 60.0, "webhook_grace_s": 0.2}
    async with new_world(**patient) as first:
        webhook_id, _ = await subscribe(first, receiver.url)
        receiver.silent = True
        await happened(first)
        await receiver.count(1)
    receiver.silent = False
    async with new_world(**patient) as second:
        received = await receiver.count(2)
        (delivered,) = await settled(second, webhook_id, "delivered")
    assert len(delivered["attempts"]) == 1
    assert {r.headers["webhook-id"] for r in received} == {delivered["id"]}


async def test_a_gateway_without_the_key_leaves_webhooks_to_others(
    new_world: NewWorld, receiver: Receiver, tmp_path: Path
) -> None:
    """Who cannot open a secret sends nothing and counts nothing, says what to do, and can mend it
    by a new secret."""
    async with new_world() as knowing:
        webhook_id, _ = await subscribe(knowing, receiver.url)
    (tmp_path / "webhooks.key").unlink()
    async with new_world() as stranger:
        await happened(stranger)
        tried = await stranger.client.post(f"/api/v1/webhooks/{webhook_id}/test")
        assert tried.status_code == 409
        assert "rotate-secret" in tried.json()["detail"]
        while not await log_of(stranger, webhook_id):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        (waiting,) = await log_of(stranger, webhook_id)
        assert (waiting["status"], waiting["attempts"]) == ("pending", [])
        assert receiver.received == []
        rotated = await stranger.client.post(f"/api/v1/webhooks/{webhook_id}/rotate-secret")
        secret = rotated.json()["secret"]
        (received,) = await receiver.count(1)
        Verifier(secret).verify(received.body, received.headers)
        await settled(stranger, webhook_id, "delivered")


async def test_one_that_fails_for_long_is_disabled(new_world: NewWorld, receiver: Receiver) -> None:
    """So many failures in a row, over so long a time, disable a webhook and bury its queue."""
    rule = {"webhook_disable_failures": 3, "webhook_disable_after_s": 0.0}
    async with new_world(webhook_retry_s=(0.05,) * 10, **rule) as world:
        webhook_id, _ = await subscribe(world, receiver.url)
        receiver.answers.extend([500] * 50)
        await happened(world)
        (dead,) = await settled(world, webhook_id, "dead")
        assert "webhook disabled: 3 attempts in a row failed" in dead["reason"]
        assert len(receiver.received) == 3


async def test_a_silent_receiver_is_a_failure(new_world: NewWorld, receiver: Receiver) -> None:
    """An attempt is bounded in time."""
    async with new_world(webhook_timeout_s=0.2, webhook_retry_s=(60.0,)) as world:
        receiver.silent = True
        webhook_id, _ = await subscribe(world, receiver.url)
        delivery = (await world.client.post(f"/api/v1/webhooks/{webhook_id}/test")).json()
        assert delivery["status"] == "failed"
        assert delivery["attempts"][0]["error"] == "no answer within 0.2 s"


async def test_the_queue_and_the_log_are_bounded(new_world: NewWorld, receiver: Receiver) -> None:
    """The oldest of the log go, and a queue without end disables its webhook."""
    bounds = {"webhook_log_kept": 3, "webhook_dead_kept": 2, "webhook_pending_limit": 4}
    async with new_world(webhook_retry_s=(60.0,), **bounds) as world:
        webhook_id, _ = await subscribe(world, receiver.url)
        for _ in range(5):
            await happened(world)
        await settled(world, webhook_id, "delivered", 5)
        await world.gateway.webhooks.keeper.keep()
        assert len(await log_of(world, webhook_id)) == 3
        receiver.answers.extend([500] * 5)
        for _ in range(5):
            await happened(world)
        await receiver.count(10)
        await world.gateway.webhooks.keeper.keep()
        webhook = await webhook_of(world, webhook_id)
        assert webhook["disabled_reason"] == "more than 4 deliveries are pending"
        await world.gateway.webhooks.keeper.keep()
        assert len(await settled(world, webhook_id, "dead")) == 2


async def test_the_address_is_checked_again_when_connecting(
    new_world: NewWorld, receiver: Receiver
) -> None:
    """A name that has come to stand for a private address since is not called."""
    async with new_world() as trusting:
        webhook_id, _ = await subscribe(trusting, receiver.url)
    async with new_world(webhook_allow_private=False, webhook_retry_s=(60.0,)) as wary:
        await happened(wary)
        tried = await attempted(wary, webhook_id)
        assert "127.0.0.1, a loopback address" in tried["attempts"][0]["error"]
    assert receiver.received == []


async def test_there_is_a_bound_on_webhooks(new_world: NewWorld, receiver: Receiver) -> None:
    """More than the setting allows are refused."""
    async with new_world(webhook_limit=1) as world:
        await subscribe(world, receiver.url)
        answer = await world.client.post("/api/v1/webhooks", json={"url": receiver.url})
        assert answer.status_code == 409
        assert "HIVE_WEBHOOK_LIMIT" in answer.json()["detail"]


async def test_a_refused_target_is_a_problem_of_the_field(new_world: NewWorld) -> None:
    """By default only https to public addresses; the answer names the field and the remedy."""
    async with new_world(webhook_allow_private=False, webhook_allow_http=False) as world:
        for url in ("https://localhost/x", "https://no-such-host.invalid/x"):
            answer = await world.client.post("/api/v1/webhooks", json={"url": url})
            assert answer.status_code == 422, answer.text
            (error,) = answer.json()["errors"]
            assert (error["field"], bool(error["fix"])) == ("url", True)
        assert (await world.client.get("/api/v1/webhooks")).json()["items"] == []


async def test_a_real_workflow_is_told_from_beginning_to_end(
    new_world: NewWorld, receiver: Receiver, nats_url: str, mongo_url: str, tmp_path: Path
) -> None:
    """Every public event of an execution arrives, as its list of events has it."""
    async with new_world() as world, executor(nats_url, mongo_url, tmp_path):
        await store_template(world, "told")
        wanted = {"events": ["*"], "templates": ["told"]}
        webhook_id, secret = await subscribe(world, receiver.url, filter=wanted)
        ran = await world.client.post(
            "/api/v1/workflows/execute?wait=30", json={"template_id": "told"}
        )
        execution_id = ran.json()["execution_id"]
        events = await world.client.get(f"/api/v1/workflows/executions/{execution_id}/events")
        items = events.json()["items"]
        await settled(world, webhook_id, "delivered", len(items))
        got = {r.event["id"]: Verifier(secret).verify(r.body, r.headers) for r in receiver.received}
        assert {item["id"]: item["data"] for item in items} == {
            identifier: envelope["data"] for identifier, envelope in got.items()
        }
        assert {envelope["subject"] for envelope in got.values()} == {execution_id}
