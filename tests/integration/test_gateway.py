"""The gateway's doors through HTTP on real servers: keys, templates, bad input, limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.gateway.keys import ensure_admin_key
from tests.integration.gateway_answers import definition, problem
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATES = "/api/v1/workflows/templates"
EXECUTE = "/api/v1/workflows/execute"


async def test_first_admin_key_is_private_and_stays(world: World, tmp_path: Path) -> None:
    """The key file has mode 0600; a start keeps a good one, and replaces one that opens nothing."""
    path = world.home / "admin.key"
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text(encoding="utf-8")
    await ensure_admin_key(world.gateway.keys, path)
    assert path.read_text(encoding="utf-8") == before
    stale = tmp_path / "admin.key"
    stale.write_text("hive_of-another-database\n", encoding="utf-8")
    await ensure_admin_key(world.gateway.keys, stale)
    async with client_of(world.app, stale.read_text(encoding="utf-8").strip()) as other:
        assert (await other.get("/api/v1/keys/self")).json()["role"] == "admin"


async def test_nobody_without_a_key(world: World) -> None:
    """Without a known key nothing but health answers, and the answer says how to get in."""
    async with client_of(world.app, None) as anonymous:
        assert "admin.key" in problem(await anonymous.get(TEMPLATES), 401)["detail"]
        for headers in ({"X-API-Key": "hive_no"}, {"Authorization": "Bearer x"}):
            refused = await anonymous.get(TEMPLATES, headers=headers)
            assert refused.headers["www-authenticate"] == "Bearer"
            problem(refused, 401)
        ready = await anonymous.get("/health/ready")
        assert ready.json()["checks"] == {"nats": "ok", "mongodb": "ok"}
        assert (await anonymous.get("/health/live")).status_code == 200
        secret = (world.home / "admin.key").read_text(encoding="utf-8").strip()
        known = await anonymous.get(TEMPLATES, headers={"X-API-Key": secret})
        assert known.status_code == 200


@pytest.mark.parametrize(
    ("role", "method", "path", "allowed"),
    [
        ("viewer", "GET", TEMPLATES, True),
        ("viewer", "POST", EXECUTE, False),
        ("viewer", "POST", "/api/v1/memories", False),
        ("agent", "POST", "/api/v1/memories", True),
        ("agent", "POST", EXECUTE, False),
        ("agent", "POST", TEMPLATES, False),
        ("operator", "POST", EXECUTE, True),
        ("operator", "GET", "/api/v1/keys", False),
        ("admin", "GET", "/api/v1/keys", True),
    ],
)
async def test_roles(
    world: World,
    role: str,
    method: str,
    path: str,
    allowed: bool,
) -> None:
    """A role may do what the table says; a refusal names the roles that may."""
    client = await world.as_role(role, f"{role}-{method.lower()}-{path.rpartition('/')[2]}")
    async with client:
        answer = await client.request(method, path, json={} if method == "POST" else None)
    if allowed:
        assert answer.status_code in (200, 422)
    else:
        assert "needs one of" in problem(answer, 403)["detail"]


async def test_keys_are_issued_and_revoked(world: World) -> None:
    """A new key works at once, is listed without its secret, and works no more once revoked."""
    issued = await world.client.post("/api/v1/keys", json={"name": "ci", "role": "operator"})
    assert issued.status_code == 201
    secret, key_id = issued.json()["secret"], issued.json()["key"]["id"]
    problem(await world.client.post("/api/v1/keys", json={"name": "ci", "role": "viewer"}), 409)
    async with client_of(world.app, secret) as ci:
        assert (await ci.get("/api/v1/keys/self")).json()["name"] == "ci"
        listed = await world.client.get("/api/v1/keys")
        mine = next(key for key in listed.json()["items"] if key["id"] == key_id)
        assert mine["last_used_at_ms"] > 0
        assert secret not in listed.text
        assert (await world.client.delete(f"/api/v1/keys/{key_id}")).json()["revoked_at_ms"] > 0
        problem(await ci.get(TEMPLATES), 401)
    stored = await world.mongo.database["api_keys"].find_one({"_id": key_id})
    assert secret not in str(stored)
    problem(await world.client.delete("/api/v1/keys/key_none"), 404)


async def test_template_versions_never_change(world: World) -> None:
    """The same again is 200, another definition under a stored version is 409."""
    first = await world.client.post(TEMPLATES, json=definition("fixed"))
    assert (first.status_code, first.json()["outcome"]) == (201, "created")
    same = await world.client.post(TEMPLATES, json=definition("fixed"))
    assert (same.status_code, same.json()["outcome"]) == (200, "unchanged")
    changed = await world.client.post(TEMPLATES, json=definition("fixed", name="Other"))
    assert "Raise `version`" in problem(changed, 409)["detail"]
    newer = definition("fixed", version="1.10.0", name="Other")
    assert (await world.client.post(TEMPLATES, json=newer)).status_code == 201
    await world.client.post(TEMPLATES, json=definition("fixed", version="1.9.0"))
    await world.client.post(TEMPLATES, json=definition("fixed", version="2.0.0-rc.1"))
    versions = (await world.client.get(f"{TEMPLATES}/fixed/versions")).json()["items"]
    assert [v["version"] for v in versions] == ["1.10.0", "1.9.0", "1.0.0", "2.0.0-rc.1"]
    newest = (await world.client.get(f"{TEMPLATES}/fixed")).json()
    assert newest["summary"]["version"] == "1.10.0"
    assert newest["parameters_schema"]["required"] == ["who"]
    missing = await world.client.get(f"{TEMPLATES}/fixed?version=9.9.9")
    assert "There are: 1.10.0" in problem(missing, 404)["detail"]


async def test_export_and_import(world: World) -> None:
    """What is exported can be imported again and is the same; a bad file is told by line."""
    await world.client.post(TEMPLATES, json=definition("moved"))
    text = (await world.client.get(f"{TEMPLATES}/moved/export")).text
    again = await world.client.post(f"{TEMPLATES}/import", content=text)
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    bad = await world.client.post(f"{TEMPLATES}/import", content="id: x\nid: y\n")
    assert "line 2" in problem(bad, 422)["errors"][0]["message"]
    problem(await world.client.post(f"{TEMPLATES}/import", content=b"\xff\xfe"), 400)


async def test_templates_are_found(world: World) -> None:
    """Lists narrow by category, tag and text, and go on where a page ended."""
    for name in ("find-a", "find-b", "find-c"):
        body = definition(name, category="finding", tags=[f"tag-{name}"], description="A+B (x)")
        await world.client.post(TEMPLATES, json=body)

    async def found(query: str) -> list[str]:
        answer = await world.client.get(f"{TEMPLATES}?{query}")
        return [item["id"] for item in answer.json()["items"]]

    assert await found("category=finding&limit=2") == ["find-a", "find-b"]
    assert await found("category=finding&limit=2&cursor=find-b") == ["find-c"]
    assert await found("tag=tag-find-b") == ["find-b"]
    assert await found("category=finding&text=a%2Bb (X)") == ["find-a", "find-b", "find-c"]
    assert await found("category=finding&text=.*") == []


async def test_built_in_templates_are_there(world: World) -> None:
    """The first start stores the templates that come with the product, all of them runnable."""
    from shared.templates.loader import builtin

    for template in builtin():
        assert (await world.client.get(f"{TEMPLATES}/{template.id}")).status_code == 200


STEP = {"id": "a", "command": "noop"}
BAD_DEFINITIONS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "cycle",
        {"steps": [{**STEP, "depends_on": ["b"]}, {**STEP, "id": "b", "depends_on": ["a"]}]},
        "steps",
        "",
    ),
    ("unknown command", {"steps": [{**STEP, "command": "nop"}]}, "steps/0/command", "noop"),
    (
        "expression",
        {"steps": [{**STEP, "parameters": {"echo": "${{ params.whoo }}"}}]},
        "steps/0/parameters/echo",
        "",
    ),
    ("condition", {"steps": [{**STEP, "when": "1 +"}]}, "steps/0/when", ""),
    (
        "dependency",
        {"steps": [{**STEP, "depends_on": ["ghost"]}]},
        "steps/0/depends_on",
        "",
    ),
    (
        "command parameter",
        {"steps": [{**STEP, "command": "shell", "parameters": {"argv": "ls"}}]},
        "steps/0/parameters/argv",
        "",
    ),
    ("missing field", {"steps": [{"id": "a"}]}, "steps/0/command", "add command"),
    ("unknown field", {"stepz": []}, "stepz", "remove"),
    ("version", {"version": "one"}, "version", ""),
]


@pytest.mark.parametrize(
    ("change", "field", "fix"),
    [pytest.param(*case[1:], id=case[0]) for case in BAD_DEFINITIONS],
)
async def test_bad_definitions(
    world: World,
    change: dict[str, Any],
    field: str,
    fix: str,
) -> None:
    """A definition that can never run is refused with the field and a remedy, and nothing stays."""
    answer = await world.client.post(TEMPLATES, json=definition("never", **change))
    errors = problem(answer, 422)["errors"]
    named = next((e for e in errors if e["field"].startswith(field)), None)
    assert named is not None, errors
    assert named["message"]
    assert fix in named["fix"]
    assert (await world.client.get(f"{TEMPLATES}/never")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"template_id": "ghost"}, 404, None),
        ({"template_id": "asked", "version": "7.0.0"}, 404, None),
        ({}, 422, "template_id"),
        ({"template_id": "asked", "parameters": {"who": 5}}, 422, "parameters/who"),
        ({"template_id": "asked", "parameters": {}}, 422, "parameters/who"),
        ({"template_id": "asked", "parameters": {"who": "x", "hwo": 1}}, 422, "parameters/hwo"),
        ({"template_id": "asked", "params": {}}, 422, "params"),
        ({"template_id": "asked", "labels": {"a": 1}}, 422, "labels/a"),
        ({"template_id": "NOT A SLUG"}, 422, "template_id"),
    ],
)
async def test_bad_requests_to_run(
    world: World,
    body: dict[str, Any],
    status: int,
    field: str | None,
) -> None:
    """A run that cannot be is refused before anything is in the journal."""
    await world.client.post(TEMPLATES, json=definition("asked"))
    headers = {"Idempotency-Key": json.dumps(body)}
    details = problem(await world.client.post(EXECUTE, json=body, headers=headers), status)
    if field is not None:
        assert field in [error["field"] for error in details["errors"]]
    assert await world.mongo.database["idempotency"].count_documents({}) == 0


async def test_request_ids_and_metrics(world: World) -> None:
    """A request id comes back; metrics name routes as templates, never what callers made up."""
    named = await world.client.get(TEMPLATES, headers={"X-Request-ID": "abc-1"})
    assert named.headers["x-request-id"] == "abc-1"
    odd = await world.client.get(TEMPLATES, headers={"X-Request-ID": "a b"})
    assert odd.headers["x-request-id"] not in ("", "a b")
    await world.client.get(f"{TEMPLATES}/made-up-name")
    await world.client.get("/made/up/path")
    text = (await world.client.get("/metrics")).text
    assert 'route="/api/v1/workflows/templates/{template_id}"' in text
    assert 'route="other"' in text
    assert "made" not in text


async def test_every_change_is_audited(world: World) -> None:
    """A call that changes something leaves an event with who, what and the result."""
    start = await world.gateway.parts.events.last_seq()
    await world.client.post(TEMPLATES, json=definition("audited"))
    await world.client.post(TEMPLATES, json=definition("audited", name="Other"))
    found = []
    async for kept in world.gateway.parts.events.read(start):
        found.append(kept.event)
        if len(found) == 2:
            break
    assert [event.type for event in found] == ["audit.create_template"] * 2
    assert [(e.data["name"], e.data["subject"], e.data["result"]) for e in found] == [
        ("admin", "audited", "201"),
        ("admin", "audited", "409"),
    ]


async def test_memories_broadcasts_and_participants(world: World) -> None:
    """What is remembered is recalled; a broadcast is kept; a participant comes and goes."""
    body = {"content": "Postgres failover takes a minute", "tags": ["postgres"], "importance": 0.9}
    kept = await world.client.post("/api/v1/memories", json=body)
    assert kept.status_code == 201, kept.text
    recalled = await world.client.get("/api/v1/memories?text=failover")
    assert [item["memory"]["id"] for item in recalled.json()["items"]] == [kept.json()["id"]]
    assert kept.json()["author"] == "admin"
    gone = await world.client.delete(f"/api/v1/memories/{kept.json()['id']}")
    assert gone.status_code == 200
    problem(await world.client.delete(f"/api/v1/memories/{kept.json()['id']}"), 404)
    told = {"message": "Maintenance at noon", "severity": "warning", "deadline_s": 0.1}
    sent = await world.client.post("/api/v1/broadcasts", json=told)
    assert sent.status_code == 201, sent.text
    listed = (await world.client.get("/api/v1/broadcasts")).json()["items"]
    assert listed[0]["message"] == "Maintenance at noon"
    ann = {"name": "ann", "kind": "human", "capabilities": ["dba"]}
    assert (await world.client.post("/api/v1/agents/participants", json=ann)).status_code == 201
    fleet = (await world.client.get("/api/v1/agents")).json()
    assert [p["name"] for p in fleet["participants"]] == ["ann"]
    agent = await world.as_role("agent", "bob")
    async with agent:
        problem(await agent.delete("/api/v1/agents/participants/ann"), 403)
        problem(await agent.post("/api/v1/agents/participants", json=ann), 403)
    assert (await world.client.delete("/api/v1/agents/participants/ann")).status_code == 200


async def test_the_api_is_described(world: World) -> None:
    """OpenAPI lists every operation once, each under its own id and with a summary."""
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert all(operation.get("description") for operation in operations)
    assert all(operation["tags"] for operation in operations)
    open_doors = {one["operationId"] for one in operations if "security" not in one}
    assert open_doors == {"live", "ready", "receive_events"}, "these need no key"
    for operation in operations:
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and operation["operationId"] != "ready":
                (media_type,) = answer["content"]
                assert media_type == "application/problem+json"
        if "security" in operation and operation["operationId"] != "metrics":
            assert {"401", "403", "422", "429", "500", "503"} <= set(operation["responses"])
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"])


async def test_the_docs_need_nothing_from_elsewhere(world: World) -> None:
    """The page, its script and its style come from the gateway, and may load nothing else."""
    async with client_of(world.app, None) as anonymous:
        page = await anonymous.get("/docs")
        assert "https://" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for part, media_type in (("page.js", "text/javascript"), ("page.css", "text/css")):
            assert f"docs/{part}" in page.text
            answer = await anonymous.get(f"/docs/{part}")
            assert answer.headers["content-type"].startswith(media_type)
            assert "://" not in answer.text
        problem(await anonymous.get("/docs/page.py"), 422)
