"""Requests that are wrong, too large, too many or too long: each a clear refusal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.gateway.app import create_app
from services.gateway.gateway import Gateway
from shared.contracts.collective import Broadcast
from shared.runtime.clock import SystemClock
from tests.integration.gateway_answers import definition, problem
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATES = "/api/v1/workflows/templates"
EXECUTE = "/api/v1/workflows/execute"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"template_id": ', 400),
        (b"[" * 200 + b"]" * 200, 400),
        (b'{"a":' * 100_000, 400),
        (b'{"template_id": "t", "parameters": {"n": NaN}}', 400),
        (b'{"template_id": "t", "parameters": {"n": 1e999}}', 400),
        (b'{"template_id": "t", "parameters": {"n": ' + b"9" * 5_000 + b"}}", 400),
        (b'{"template_id": "t", "labels": {"\\ud800": "x"}}', 400),
        (b'"' + b"x" * (1024 * 1024) + b'"', 413),
        (b"", 422),
        (b"\xff\xff", 400),
    ],
    ids=[
        "cut off",
        "too deep",
        "far too deep",
        "not a number",
        "infinite",
        "thousands of digits",
        "half a character",
        "too large",
        "empty",
        "not text",
    ],
)
async def test_bodies_that_cannot_be_read(
    world: World,
    content: bytes,
    status: int,
) -> None:
    """Broken, deep and large bodies are refused before they are parsed."""
    headers = {"Content-Type": "application/json"}
    problem(await world.client.post(EXECUTE, content=content, headers=headers), status)


async def test_a_large_body_without_a_length_is_cut_off(world: World) -> None:
    """A body that streams past the bound is refused, and not read to its end."""
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 1_000:
            sent += 1
            yield b" " * 65_536

    problem(await world.client.post(EXECUTE, content=endless()), 413)
    assert sent < 1_000


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_must_say_that_it_is_json(world: World, media_type: str) -> None:
    """Another type, or none, is a 415 that says what to send, and nothing is done."""
    headers = {"Content-Type": media_type} if media_type else {}
    for method, path in (("POST", EXECUTE), ("POST", TEMPLATES), ("POST", "/api/v1/keys")):
        answer = await world.client.request(method, path, content=b'{"a": 1}', headers=headers)
        assert "application/json" in problem(answer, 415)["detail"]


@pytest.mark.parametrize(
    ("path", "field", "fix"),
    [
        (f"{TEMPLATES}?categry=x", "categry", "'category'"),
        ("/api/v1/delegations?state=offered", "state", "'status'"),
        ("/api/v1/agents?limit=1", "limit", "remove it"),
        ("/api/v1/workflows/executions?stauts=failed", "stauts", ""),
        ("/api/v1/keys/self?x", "x", "remove it"),
    ],
)
async def test_a_misspelt_filter_is_not_no_filter(
    world: World, path: str, field: str, fix: str
) -> None:
    """A query parameter that the route does not have is refused, with the nearest one it has."""
    path = path if "=" in path else f"{path}=1"
    (error,) = problem(await world.client.get(path), 422)["errors"]
    assert error["field"] == field
    assert fix in error["fix"]


async def test_events_need_a_websocket(world: World) -> None:
    """A plain GET of the socket's address says how to connect."""
    answer = await world.client.get("/api/v1/events?type=step.*")
    assert "ws://" in problem(answer, 426)["detail"]
    assert answer.headers["upgrade"] == "websocket"


async def test_pages_lose_nothing_within_a_millisecond(world: World) -> None:
    """Broadcasts of one and the same time are split over pages without a gap."""
    now_ms = SystemClock().now_ms()  # what expired long ago, MongoDB removes whenever it looks
    for number in range(5):
        name = f"bc_same_{number}"
        sent = Broadcast(id=name, message="x", sent_at_ms=now_ms, expires_at_ms=now_ms + 3_600_000)
        await world.gateway.parts.collective.broadcasts.send(sent)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await world.client.get("/api/v1/broadcasts", params=query)).json()
        seen += [item["id"] for item in page["items"] if item["sent_at_ms"] == now_ms]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"bc_same_{number}" for number in (4, 3, 2, 1, 0)]


async def test_unknown_paths_and_methods(world: World) -> None:
    """What does not exist is a problem, too."""
    problem(await world.client.get("/api/v1/nothing"), 404)
    problem(await world.client.put(TEMPLATES), 405)
    problem(await world.client.get(f"{TEMPLATES}?limit=0"), 422)
    problem(await world.client.get("/api/v1/workflows/executions?state=x"), 422)
    for query in ("since=99999999999999999999", "until=-1", "cursor=x", "label=x", "status=odd"):
        problem(await world.client.get(f"/api/v1/workflows/executions?{query}"), 422)
    problem(await world.client.get(f"{TEMPLATES}?text=%00"), 422)


async def test_what_nobody_foresaw_tells_an_incident_and_no_more(world: World) -> None:
    """A defect is a 500 with an incident id, and nothing of its traceback."""
    app = create_app(world.gateway)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    async with client_of(app, None) as client:
        answer = await client.get("/broken")
    details = problem(answer, 500)
    assert details["incident"] in details["detail"]
    assert "secret detail" not in answer.text


async def test_a_burst_beyond_the_rate_is_told_to_wait(world: World) -> None:
    """Guessing keys from one address is slowed down with 429 and Retry-After."""
    async with client_of(world.app, "hive_guess") as guesser:
        answers = await asyncio.gather(*(guesser.get(TEMPLATES) for _ in range(150)))
    slowed = [answer for answer in answers if answer.status_code == 429]
    assert slowed
    assert int(slowed[0].headers["retry-after"]) >= 1
    assert (await world.client.get(TEMPLATES)).status_code == 200


async def test_a_key_that_is_too_quick_is_told_to_wait(world: World) -> None:
    """Each key has a bound of its own: beyond it comes 429 with the time to wait, for that key."""
    slow = world.gateway.settings.model_copy(
        update={"gateway_rate_per_s": 0.1, "gateway_rate_burst": 3}
    )
    app = create_app(Gateway.of(world.gateway.parts, slow))
    hasty, other = [await world.as_role("viewer", f"hasty-{n}") for n in range(2)]
    async with hasty, other:
        async with client_of(app, hasty.headers["authorization"].split()[1]) as client:
            answers = [await client.get(TEMPLATES) for _ in range(4)]
        assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]
        problem(answers[3], 429)
        assert 1 <= int(answers[3].headers["retry-after"]) <= 10
        async with client_of(app, other.headers["authorization"].split()[1]) as client:
            assert (await client.get(TEMPLATES)).status_code == 200


@pytest.mark.parametrize("wait", ["61", "-1", "nan", "inf", "soon"])
async def test_waiting_is_bounded(world: World, wait: str) -> None:
    """More than a minute, or no number, is refused for both ways to wait, before anything runs."""
    await world.client.post(TEMPLATES, json=definition("waited"))
    body = {"template_id": "waited", "parameters": {"who": "x"}}
    for method, path in (("POST", EXECUTE), ("GET", "/api/v1/workflows/executions/ex_1")):
        answer = await world.client.request(
            method, f"{path}?wait={wait}", json=body if method == "POST" else None
        )
        assert [error["field"] for error in problem(answer, 422)["errors"]] == ["wait"]
