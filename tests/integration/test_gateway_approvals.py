"""Approvals through the gateway, by several people with keys of their own."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.integration.gateway_answers import problem
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE = "/api/v1/workflows"
RELEASE = {"release": {"type": "string", "default": "1"}}
DEPLOY = {
    "id": "deploy",
    "command": "shell",
    "parameters": {"argv": ["echo", "${{ params.release }}"]},
    "rollback": {"command": "noop"},
}
PEOPLE = {"alice": ("ops",), "bob": ("ops",), "carol": ("bosses",), "dave": ()}

_clients: dict[str, httpx.AsyncClient] = {}


async def person(world: World, name: str) -> httpx.AsyncClient:
    """A person with an operator's key; the same client whenever asked for."""
    key = f"{name} {id(world)}"
    if key not in _clients:
        _clients[key] = await world.as_role("operator", name, PEOPLE[name])
    return _clients[key]


async def started(
    world: World, name: str, gate: Mapping[str, Any], *, by_step: bool = False, **more: Any
) -> str:
    """An execution that the admin asked for, of a template that the admin wrote."""
    where = {"approval": gate} if by_step else {}
    definition = {
        "id": name,
        "name": name,
        "parameters": RELEASE,
        "steps": [{**DEPLOY, **where, **more}],
        "policies": {} if by_step else {"approval": gate},
    }
    stored = await world.client.post(f"{BASE}/templates", json=definition)
    assert stored.status_code == 201, stored.text
    body = {"template_id": name, "parameters": {"release": "2"}}
    accepted = await world.client.post(f"{BASE}/execute", json=body)
    return str(accepted.json()["execution_id"])


async def gates(world: World, execution_id: str, client: Any = None) -> list[dict[str, Any]]:
    answer = await (client or world.client).get(f"{BASE}/executions/{execution_id}/approvals")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def gate_when(world: World, execution_id: str, status: str, **fields: Any) -> dict[str, Any]:
    """The only gate, once it is so."""
    for _ in range(300):
        found = await gates(world, execution_id)
        wanted = {"status": status, **fields}
        if found and all(found[0][name] == value for name, value in wanted.items()):
            return found[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"{execution_id}: {found}")


async def ended(world: World, execution_id: str) -> dict[str, Any]:
    for _ in range(300):
        view: dict[str, Any] = (
            await world.client.get(f"{BASE}/executions/{execution_id}?wait=5")
        ).json()
        if view["ended"]:
            return view
    raise AssertionError(f"{execution_id} stays {view}")


async def say(
    client: httpx.AsyncClient, execution_id: str, word: str = "approve", **body: Any
) -> httpx.Response:
    return await client.post(f"{BASE}/executions/{execution_id}/{word}", json=body)


async def test_the_approver_sees_exactly_what_runs(world: World) -> None:
    """Subject, hash and predicted effects are shown; the hash is that of what is shown, and what
    was shown is what runs."""
    execution_id = await started(world, "shown", {})
    gate = await gate_when(world, execution_id, "requested")
    text = json.dumps(gate["subject"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == gate["subject_hash"]
    assert gate["subject"]["steps"][0]["parameters"] == {"argv": ["echo", "2"]}
    (effects,) = gate["effects"]
    assert effects == {
        "step": "deploy",
        "command": "shell",
        "effects": "irreversible",
        "rollback": True,
    }
    alice = await person(world, "alice")
    assert (await say(alice, execution_id, subject_hash=gate["subject_hash"])).status_code == 202
    view = await ended(world, execution_id)
    assert view["steps"][0]["output"]["stdout"].strip() == "2"
    (vote,) = (await gates(world, execution_id))[0]["votes"]
    assert (vote["by"]["id"], vote["subject_hash"]) == ("alice", gate["subject_hash"])
    own = (await alice.get("/api/v1/keys/self")).json()
    assert (vote["key"], own["groups"]) == (own["id"], ["ops"])


async def test_an_answer_names_the_hash_of_what_is_asked(world: World) -> None:
    """Without the hash 422, with another 409 as a problem of its own; neither approves anything."""
    execution_id = await started(world, "hashed", {})
    await gate_when(world, execution_id, "requested")
    bob = await person(world, "bob")
    refused = problem(await say(bob, execution_id), 422)
    assert refused["errors"][0]["field"] == "subject_hash"
    refused = problem(await say(bob, execution_id, subject_hash="0" * 64), 409)
    assert refused["type"].endswith("subject-changed")
    assert (await gates(world, execution_id))[0]["status"] == "requested"
    assert (await say(bob, execution_id, "reject")).status_code == 202
    assert (await ended(world, execution_id))["status"] == "cancelled"


async def test_nobody_approves_their_own_run(world: World) -> None:
    """Who asked for the run and who wrote the template are refused with the reason, whatever they
    may do else; a name in the body is no name."""
    execution_id = await started(world, "own", {})
    gate = await gate_when(world, execution_id, "requested")
    assert "asked for the run" in gate["why_not"]
    answer = await say(world.client, execution_id, subject_hash=gate["subject_hash"])
    assert "asked for the run" in problem(answer, 403)["detail"]
    forged = await say(
        world.client, execution_id, subject_hash=gate["subject_hash"], by={"id": "alice"}
    )
    assert problem(forged, 422)["errors"][0]["field"] == "by"
    body = {"template_id": "own"}
    alice, bob = await person(world, "alice"), await person(world, "bob")
    asked = (await alice.post(f"{BASE}/execute", json=body)).json()["execution_id"]
    gate = await gate_when(world, asked, "requested")
    for client in (alice, world.client):  # the requester, and the author
        answer = await say(client, asked, subject_hash=gate["subject_hash"])
        assert answer.status_code == 403
    assert (await say(bob, asked, subject_hash=gate["subject_hash"])).status_code == 202
    assert (await ended(world, asked))["status"] == "completed"


async def test_a_quorum_of_a_group(world: World) -> None:
    """Two of the group must approve: one person twice is refused, strangers are, viewers are."""
    rule = {"approvers": {"groups": ["ops"]}, "quorum": 2, "comment_required": True}
    execution_id = await started(world, "quorum", rule)
    subject = (await gate_when(world, execution_id, "requested"))["subject_hash"]
    alice, bob, carol = [await person(world, name) for name in ("alice", "bob", "carol")]
    fields = {"subject_hash": subject, "comment": "checked"}
    answer = problem(await say(alice, execution_id, subject_hash=subject), 422)
    assert answer["errors"][0]["field"] == "comment"
    assert (await say(alice, execution_id, **fields)).status_code == 202
    for _ in range(300):
        if (await gates(world, execution_id))[0]["votes"]:
            break
        await asyncio.sleep(0.05)
    assert "already" in problem(await say(alice, execution_id, **fields), 409)["detail"]
    assert "group ops" in problem(await say(carol, execution_id, **fields), 403)["detail"]
    viewer = await world.as_role("viewer", "vera", ("ops",))
    async with viewer:
        assert (await say(viewer, execution_id, **fields)).status_code == 403
        assert "role viewer" in (await gates(world, execution_id, viewer))[0]["why_not"]
    assert (await say(bob, execution_id, **fields)).status_code == 202
    assert (await ended(world, execution_id))["status"] == "completed"
    late = problem(await say(bob, execution_id, **fields), 409)
    assert "has ended" in late["detail"]


async def test_answers_at_once_count_once_each(world: World) -> None:
    """Of many approvals by one person sent at once one counts; a second person is still needed."""
    execution_id = await started(world, "at_once", {"quorum": 2})
    subject = (await gate_when(world, execution_id, "requested"))["subject_hash"]
    alice, bob = await person(world, "alice"), await person(world, "bob")
    answers = await asyncio.gather(
        *(say(alice, execution_id, subject_hash=subject) for _ in range(8))
    )
    assert {a.status_code for a in answers} <= {202, 409}
    for _ in range(300):
        if (await gates(world, execution_id))[0]["votes"]:
            break
        await asyncio.sleep(0.05)
    gate = (await gates(world, execution_id))[0]
    assert (gate["status"], len(gate["votes"])) == ("requested", 1)
    both = await asyncio.gather(
        say(bob, execution_id, subject_hash=subject), say(alice, execution_id, "reject")
    )
    assert both[0].status_code == 202
    view = await ended(world, execution_id)
    assert view["approval"] in ("granted", "rejected")
    assert view["status"] == {"granted": "completed", "rejected": "cancelled"}[view["approval"]]


async def test_a_step_asks_with_a_form(world: World) -> None:
    """A gate before a step takes typed input, which the step is run with."""
    form = {"who": {"type": "string", "minLength": 2}}
    execution_id = await started(
        world,
        "form",
        {"form": form},
        by_step=True,
        parameters={"argv": ["echo", "${{ approvals.deploy.input.who }}"]},
    )
    gate = await gate_when(world, execution_id, "requested")
    assert gate["form"]["properties"]["who"]["type"] == "string"
    view = (await world.client.get(f"{BASE}/executions/{execution_id}")).json()
    assert (view["status"], view["awaits_approval"]) == ("waiting", ["deploy"])
    alice = await person(world, "alice")
    fields = {"gate": "deploy", "subject_hash": gate["subject_hash"]}
    wrong = problem(await say(alice, execution_id, **fields, input={"who": "x"}), 422)
    assert wrong["errors"][0]["field"] == "input/who"
    assert (await say(alice, execution_id, **fields, input={"who": "ops"})).status_code == 202
    view = await ended(world, execution_id)
    assert view["steps"][0]["output"]["stdout"].strip() == "ops"


async def test_the_inbox_holds_what_waits_for_me(world: World) -> None:
    """Everybody sees what they may answer, and with `everybody` the rest with the reason."""
    execution_id = await started(world, "inbox", {"approvers": {"users": ["dave"]}})
    await gate_when(world, execution_id, "requested")
    alice, dave = await person(world, "alice"), await person(world, "dave")

    async def waiting(client: httpx.AsyncClient, query: str = "") -> list[str]:
        items = (await client.get(f"/api/v1/approvals?limit=50{query}")).json()["items"]
        return [item["execution_id"] for item in items]

    assert execution_id in await waiting(dave)
    assert execution_id not in await waiting(alice)
    assert execution_id in await waiting(alice, "&everybody=true")
    gate = (await gates(world, execution_id))[0]
    await say(dave, execution_id, subject_hash=gate["subject_hash"])
    await ended(world, execution_id)
    assert execution_id not in await waiting(dave)


async def test_a_vote_is_handed_over(world: World) -> None:
    """The delegate answers in the approver's place; only a key that may approve can be given it."""
    execution_id = await started(world, "handed", {"approvers": {"users": ["carol"]}})
    gate = await gate_when(world, execution_id, "requested")
    carol, dave = await person(world, "carol"), await person(world, "dave")
    path = "approvals/delegate"
    unknown = problem(await say(carol, execution_id, path, to="nobody"), 422)
    assert unknown["errors"][0]["field"] == "to"
    assert (
        "no vote of their own"
        in problem(await say(dave, execution_id, path, to="carol"), 403)["detail"]
    )
    assert (await say(carol, execution_id, path, to="dave", comment="away")).status_code == 202
    await gate_when(world, execution_id, "requested", delegated={"carol": "dave"})
    assert (await say(carol, execution_id, subject_hash=gate["subject_hash"])).status_code == 403
    assert (await say(dave, execution_id, subject_hash=gate["subject_hash"])).status_code == 202
    await ended(world, execution_id)
    (vote,) = (await gates(world, execution_id))[0]["votes"]
    assert (vote["by"]["id"], vote["for_whom"]) == ("dave", "carol")


async def test_time_escalates_and_rejects(world: World) -> None:
    """Durable timers escalate to others and expire into a rejection, which the events tell."""
    rule = {
        "approvers": {"users": ["alice"]},
        "remind_every_s": 1,
        "escalate_after_s": 0.2,
        "escalate_to": {"groups": ["bosses"]},
        "expires_after_s": 60,
    }
    execution_id = await started(world, "escalates", rule)
    gate = await gate_when(world, execution_id, "requested", escalated=True)
    carol = await person(world, "carol")
    assert (await say(carol, execution_id, subject_hash=gate["subject_hash"])).status_code == 202
    assert (await ended(world, execution_id))["status"] == "completed"
    expiring = await started(world, "expires", {"expires_after_s": 0.3})
    view = await ended(world, expiring)
    assert (view["status"], view["stop_reason"]) == ("cancelled", "was not approved in time")
    events = (await world.client.get(f"{BASE}/executions/{expiring}/events")).json()["items"]
    types = [event["type"] for event in events]
    assert "approval.expired" in types
    assert "approval.granted" not in types
    late = await say(carol, expiring, subject_hash=gate["subject_hash"])
    assert late.status_code == 409


async def test_several_open_gates_are_told_apart(world: World) -> None:
    """Where more than one gate is open an answer names the gate, or the hash of what it means."""
    definition = {
        "id": "two_gates",
        "name": "Two",
        "steps": [{"id": name, "command": "noop", "approval": {}} for name in ("first", "second")],
    }
    await world.client.post(f"{BASE}/templates", json=definition)
    asked = await world.client.post(f"{BASE}/execute", json={"template_id": "two_gates"})
    execution_id = asked.json()["execution_id"]
    await gate_when(world, execution_id, "requested")
    alice = await person(world, "alice")
    assert "first, second" in problem(await say(alice, execution_id, "reject"), 409)["detail"]
    for gate in await gates(world, execution_id):
        answer = await say(alice, execution_id, subject_hash=gate["subject_hash"])
        assert answer.status_code == 202, answer.text
    assert (await ended(world, execution_id))["status"] == "completed"
    unknown = await say(alice, execution_id, gate="third")
    assert unknown.status_code == 409
