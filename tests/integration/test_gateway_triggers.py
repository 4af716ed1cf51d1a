"""Receivers and rules through REST and `hv`, on real servers with a real executor."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from services.gateway.app import create_app
from services.gateway.bootstrap import build_parts
from services.gateway.gateway import Gateway
from shared.adapters.nats.publisher import Publisher
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World, client_of
from tests.integration.hv_of_world import terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/api/v1/triggers"
Client = httpx.AsyncClient


async def template(world: World, **more: Any) -> str:
    template_id = f"react_{secrets.token_hex(4)}"
    definition = {
        "id": template_id,
        "name": template_id,
        "parameters": {"host": {"type": "string", "default": "none"}},
        "steps": [{"id": "a", "command": "noop"}],
        **more,
    }
    answer = await world.client.post("/api/v1/workflows/templates", json=definition)
    assert answer.status_code == 201, answer.text
    return template_id


async def receiver(world: World, kind: str, **more: Any) -> tuple[str, str, str]:
    """Its id, where to send to, and its secret."""
    answer = await world.client.post(f"{URL}/receivers", json={"name": "r", "kind": kind, **more})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return made["receiver"]["id"], made["path"], made["secret"]


async def rule(world: World, template_id: str, receiver_id: str, **more: Any) -> str:
    wanted = {"name": "r", "template_id": template_id, "receiver": receiver_id, **more}
    answer = await world.client.post(f"{URL}/rules", json=wanted)
    assert answer.status_code == 201, answer.text
    assert answer.json()["pending"] is False
    return str(answer.json()["id"])


def alerts(*hosts: str, status: str = "firing", at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {
        "version": "4",
        "status": status,
        "receiver": "hive",
        "groupLabels": {},
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": "DiskFull", "host": host, "severity": "critical"},
                "annotations": {},
                "startsAt": at,
                "endsAt": at,
                "fingerprint": host,
            }
            for host in hosts
        ],
    }


async def send(client: Client, path: str, secret: str, body: Any, **headers: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {secret}", **headers}
    return await client.post(path, json=body, headers=bearer)


async def view(world: World, rule_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await world.client.get(f"{URL}/rules/{rule_id}")).json()
    return found


async def counted(world: World, rule_id: str, **wanted: int) -> dict[str, Any]:
    """Wait until the rule has counted so."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(60):
            while {n: found.get("counts", {}).get(n, 0) for n in wanted} != wanted:
                found = await view(world, rule_id)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError((wanted, found)) from None
    return found


async def executions(world: World, template_id: str) -> list[dict[str, Any]]:
    query: dict[str, str | int] = {"template": template_id, "limit": 200}
    answer = await world.client.get("/api/v1/workflows/executions", params=query)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - the executor changes it
            await asyncio.sleep(0.05)


async def second_gateway(world: World) -> tuple[Client, Callable[[], Awaitable[None]]]:
    """Another gateway over the same servers, and what closes it."""
    publisher = Publisher(world.bus, grouped=False)
    await publisher.start()
    parts = await build_parts(world.bus, world.mongo, publisher)
    gateway = Gateway.of(parts, world.gateway.settings)
    client = client_of(create_app(gateway), None)

    async def close() -> None:
        await client.aclose()
        await gateway.close()
        await publisher.close()

    return client, close


async def test_an_alert_storm_over_two_gateways(world: World) -> None:
    """600 alerts of 30 hosts, through two gateways at once: two executions, the rest counted; the
    same alert later is known; what is resolved does not match; the secret is never shown again."""
    template_id = await template(world)
    receiver_id, path, secret = await receiver(world, "alertmanager")
    rule_id = await rule(
        world,
        template_id,
        receiver_id,
        events=["alert.firing"],
        when="event.data.labels.severity == 'critical'",
        parameters={"host": "${{ event.data.labels.host }}"},
        deduplicate={"key": "event.data.labels.host", "window_s": 600},
        throttle={"most": 2, "per_s": 600},
    )
    other, close = await second_gateway(world)
    hosts = [f"web-{number}" for number in range(30)]
    doors = itertools.cycle([client_of(world.app, None), other])
    chosen = itertools.islice(doors, 20)
    sent = [send(door, path, secret, alerts(*hosts)) for door in chosen]
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {202}
    assert answers[0].json() == {"events": 30, "rules": 1}
    found = await counted(world, rule_id, received=600, started=2, deduplicated=570, throttled=28)
    await send(other, path, secret, alerts("web-1", status="resolved"))
    await counted(world, rule_id, received=601, unmatched=1)
    await close()

    async def ended() -> bool:
        found = await executions(world, template_id)
        return [one["status"] for one in found] == ["completed"] * 2

    await until(ended)
    started = [one for one in found["recent"] if one["outcome"] == "started"]
    ran = await executions(world, template_id)
    assert {one["id"] for one in ran} == {one["execution_id"] for one in started}
    first = (await world.client.get(f"/api/v1/workflows/executions/{ran[0]['id']}")).json()
    assert first["requested_by"] == {"kind": "alert", "id": rule_id}
    assert first["trigger"]["kind"] == "monitoring_alert"
    assert first["trigger"]["evidence"]["event"]["data"]["labels"]["alertname"] == "DiskFull"
    assert first["parameters"]["host"].startswith("web-")

    shown = await world.client.get(f"{URL}/receivers/{receiver_id}")
    assert shown.json()["rules"] == [rule_id]
    listed = await world.client.get(f"{URL}/receivers")
    assert secret not in shown.text + listed.text
    async for document in world.mongo.database["receivers"].find():
        assert secret not in str(document)
    refused = await send(client_of(world.app, None), path, "wrong", alerts("web-1"))
    assert refused.status_code == 401
    assert (await world.client.delete(f"{URL}/receivers/{receiver_id}")).status_code == 409
    rotated = await world.client.post(
        f"{URL}/receivers/{receiver_id}/rotate-secret", json={"overlap_s": 0}
    )
    assert (await send(world.client, path, secret, alerts("web-1"))).status_code == 401
    fresh = rotated.json()["secret"]
    assert (await send(world.client, path, fresh, alerts("web-1"))).status_code == 202
    assert (await world.client.delete(f"{URL}/rules/{rule_id}")).is_success
    assert (await world.client.delete(f"{URL}/receivers/{receiver_id}")).is_success
    assert (await send(world.client, path, fresh, alerts("web-1"))).status_code == 404


async def test_signed_webhooks_and_cloud_events(world: World) -> None:
    """A signature is checked, one that is old or not ours refused; what comes twice starts once; a
    debounce waits for the last of a burst."""
    template_id = await template(world)
    receiver_id, path, secret = await receiver(world, "webhook")
    rule_id = await rule(
        world, template_id, receiver_id, parameters={"host": "${{ event.data.host }}"}
    )
    door = client_of(world.app, None)
    body = json.dumps({"type": "deploy.done", "host": "web-1"})

    async def deliver(at: datetime, key: str, message_id: str = "msg_1") -> int:
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(key).sign(message_id, at, body),
            "Content-Type": "application/json",
        }
        return (await door.post(path, content=body, headers=headers)).status_code

    now = datetime.now(UTC)
    assert await deliver(now, secret) == 202
    assert await deliver(now, secret) == 202
    assert await deliver(datetime(2026, 1, 1, tzinfo=UTC), secret) == 401
    _, _, other_secret = await receiver(world, "webhook")
    assert await deliver(now, other_secret) == 401
    await counted(world, rule_id, received=2, started=1, deduplicated=1)

    cloud_id, cloud_path, bearer = await receiver(world, "cloudevents")
    calm = await rule(
        world, template_id, cloud_id, events=["build.*"], debounce={"wait_s": 1, "at_most_s": 20}
    )
    events = [
        {"specversion": "1.0", "id": str(n), "source": "/b", "type": "build.failed", "data": {}}
        for n in range(5)
    ]
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    answer = await send(door, cloud_path, bearer, events, **batch)
    assert answer.json() == {"events": 5, "rules": 1}
    await send(door, cloud_path, bearer, events, **batch)
    found = await counted(
        world, calm, received=10, waited=1, debounced=4, deduplicated=5, started=1
    )
    assert found["waiting"] == 0


async def test_our_own_events_and_what_triggers_itself(world: World) -> None:
    """A failed execution starts another workflow; one that would start itself, directly, through
    two rules, or by calling a receiver, is stopped, and that is said."""
    broken: dict[str, Any] = {
        "steps": [{"id": "a", "command": "noop", "success_criteria": ["1 == 2"]}]
    }
    first, second = await template(world, **broken), await template(world, **broken)
    about_first = f"event.data.template_id == '{first}'"
    itself = await rule(world, first, "executions", events=["execution.failed"], when=about_first)
    there = await rule(world, second, "executions", events=["execution.failed"], when=about_first)
    back = await rule(
        world,
        first,
        "executions",
        events=["execution.failed"],
        when=f"event.data.template_id == '{second}'",
    )
    receiver_id, path, secret = await receiver(world, "webhook", proof="bearer")
    called = await rule(world, first, receiver_id)
    # Rules are looked for every two seconds: until it is followed, ask again.

    async def reacted() -> bool:
        await world.client.post("/api/v1/workflows/execute", json={"template_id": first})
        await asyncio.sleep(1)
        return bool((await view(world, there))["counts"].get("started"))

    await until(reacted)

    async def stopped() -> bool:
        counts = [(await view(world, one))["counts"].get("looped", 0) for one in (itself, back)]
        return all(count > 0 for count in counts)

    await until(stopped)
    assert not (await view(world, itself))["counts"].get("started")
    said = (await view(world, back))["recent"]
    looped = next(one for one in said if one["outcome"] == "looped")
    assert f"template {first} → {there} → template {second} → {back}" in looped["reason"]
    execution = (await executions(world, first))[0]["id"]
    await send(world.client, path, secret, {}, **{"Hive-Execution": execution})
    await counted(world, called, received=1, looped=1)
    for one in (itself, there, back, called):
        await world.client.delete(f"{URL}/rules/{one}")


async def test_a_dry_run_and_what_cannot_be(world: World) -> None:
    """What a rule would make of an event is shown without starting anything; what means nothing is
    refused with its field."""
    template_id = await template(world)
    receiver_id, _, _ = await receiver(world, "alertmanager")
    definition: dict[str, Any] = {
        "name": "r",
        "template_id": template_id,
        "receiver": receiver_id,
        "when": "event.data.labels.severity == 'critical'",
        "parameters": {"host": "${{ event.data.labels.host }}"},
        "throttle": {"most": 1, "per_s": 60},
    }
    tried = await world.client.post(
        f"{URL}/rules/test", json={"definition": definition, "payload": alerts("a", "a", "b")}
    )
    verdicts = tried.json()["verdicts"]
    assert [one["outcome"] for one in verdicts] == ["started", "deduplicated", "throttled"]
    assert verdicts[0]["parameters"] == {"host": "a"}
    assert await executions(world, template_id) == []
    rule_id = (await world.client.post(f"{URL}/rules", json=definition)).json()["id"]
    event = {"type": "alert.firing", "data": {"labels": {"severity": "info"}}}
    tried = await world.client.post(f"{URL}/rules/{rule_id}/test", json={"event": event})
    assert tried.json()["verdicts"][0]["outcome"] == "unmatched"
    assert (await view(world, rule_id))["counts"] == {}
    changes: list[tuple[dict[str, Any], int, str | None]] = [
        ({"when": "evnt.x"}, 422, "when"),
        ({"parameters": {"nope": 1}}, 422, "parameters/nope"),
        ({"receiver": "rc_none"}, 404, None),
        ({"template_id": "no_such"}, 404, None),
        ({"throttle": {"most": 0, "per_s": 1}}, 422, "throttle/most"),
    ]
    for change, status, field in changes:
        answer = await world.client.post(f"{URL}/rules", json={**definition, **change})
        assert answer.status_code == status, answer.text
        if field is not None:
            assert [one["field"] for one in answer.json()["errors"]] == [field]
    viewer = await world.as_role("viewer")
    assert (await viewer.post(f"{URL}/rules", json=definition)).status_code == 403
    assert (await viewer.post(f"{URL}/receivers", json={})).status_code == 403
    assert (await viewer.get(f"{URL}/rules")).is_success


async def test_from_the_terminal(world: World, tmp_path: Path) -> None:
    """`hv triggers` makes receivers and rules, tries them out, and shows what became of events."""
    template_id = await template(world)
    async with terminal(world) as shell:
        made = await shell.json("triggers", "add-receiver", "alerts", "--kind", "alertmanager")
        receiver_id = made["receiver"]["id"]
        file = tmp_path / "rule.yaml"
        file.write_text(
            f"name: disks\ntemplate_id: {template_id}\nreceiver: {receiver_id}\n"
            "when: event.data.labels.severity == 'critical'\n"
        )
        payload = tmp_path / "alert.json"
        payload.write_text(json.dumps(alerts("web-1")))
        tried = await shell.hv("triggers", "test", "--file", str(file), "--payload", str(payload))
        assert "started" in tried
        one = await shell.json("triggers", "create", str(file))
        await send(world.client, made["path"], made["secret"], alerts("web-1", "web-1"))
        await counted(world, one["id"], received=2, started=1, deduplicated=1)
        shown = await shell.hv("triggers", "show", one["id"])
        assert "deduplicated 1" in shown
        assert "ex_" in shown
        assert one["id"] in await shell.hv("triggers")
        assert receiver_id in await shell.hv("triggers", "receivers")
        assert "paused" in await shell.hv("triggers", "pause", one["id"])
        assert "active" in await shell.hv("triggers", "resume", one["id"])
        file.write_text(file.read_text().replace("disks", "drives"))
        changed = await shell.json("triggers", "update", one["id"], str(file))
        assert (changed["edition"], changed["definition"]["name"]) == (2, "drives")
        rotated = await shell.json("triggers", "rotate-secret", receiver_id, "--overlap", "0")
        assert rotated["secret"] != made["secret"]
        await shell.hv("triggers", "delete", one["id"])
        await shell.hv("triggers", "remove-receiver", receiver_id)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_ten_thousand_alerts_one_by_one(world: World) -> None:
    """10,000 deliveries of one alert each through two gateways become three executions."""
    template_id = await template(world)
    receiver_id, path, secret = await receiver(world, "alertmanager")
    rule_id = await rule(
        world,
        template_id,
        receiver_id,
        deduplicate={"key": "event.data.labels.host", "window_s": 3_600},
        throttle={"most": 3, "per_s": 3_600},
    )
    other, close = await second_gateway(world)
    doors = [client_of(world.app, None), other]
    gate = asyncio.Semaphore(32)

    async def one(number: int) -> None:
        async with gate:
            while True:
                body = alerts(f"web-{number % 50}")
                answer = await send(doors[number % 2], path, secret, body)
                if answer.status_code == 202:
                    return
                assert answer.status_code == 429
                await asyncio.sleep(float(answer.headers["retry-after"]))

    await asyncio.gather(*(one(number) for number in range(10_000)))
    await counted(world, rule_id, received=10_000, started=3, throttled=47, deduplicated=9_950)
    await close()
    assert len(await executions(world, template_id)) == 3
