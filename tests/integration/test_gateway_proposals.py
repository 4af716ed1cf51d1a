"""What two people run by hand is found, accepted and runs: through the gateway, the record's
stream and store, and a real executor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from services.learning.mining import Miner, MiningPorts
from shared.adapters.mongo.proposals import MongoProposals
from shared.adapters.mongo.record import MongoRecordStore
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.record import NatsRecordFeed
from shared.contracts import subjects
from shared.runtime.clock import SystemClock
from shared.runtime.mining_meter import MiningMeter
from tests.integration.gateway_answers import problem
from tests.integration.gateway_fixtures import busy_world, emptied  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import terminal
from tests.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROPOSALS = "/api/v1/proposals"
WORKFLOWS = "/api/v1/workflows"
RUN = token_hex(4)
"""Ids are this test's own: the bus drops one that another test sent lately."""
NAMES = ("shop", "wiki", "mail", "blog")


async def recorded(world: World, user: str, folder: Path) -> None:
    """Six sessions of a user who makes a site each time, as the shell hook records them."""
    client = await world.as_role("operator", user)
    for number in range(6):
        name = NAMES[number % len(NAMES)]
        lines = [
            f"mkdir -p {folder}/{name}",
            f"cp {folder}/base.conf {folder}/{name}/{name}.conf",
            f"chmod 600 {folder}/{name}/{name}.conf",
        ]
        body = [
            {"id": f"{RUN}-{number}-{step}", "command": line, "session": str(number), "exit": 0,
             "cwd": str(folder), "at_ms": 1_767_600_000_000 + number * 10**7 + step * 9_000,
             "duration_ms": 20, "source": "shell"}
            for step, line in enumerate(lines)
        ]  # fmt: skip
        answer = await client.post("/api/v1/commands", json=body)
        assert answer.status_code == 200, answer.text


async def mined(world: World) -> None:
    """What the learning service does: keep what is recorded, then look for workflows."""
    store, proposals = MongoRecordStore(world.mongo), MongoProposals(world.mongo)
    await store.ensure_indexes()
    feed = NatsRecordFeed(world.bus)
    await feed.start(await store.last())
    try:
        while items := await feed.take(1_000, 1.0):
            await store.put(items)
    finally:
        await feed.close()
    ports = MiningPorts(store, proposals, MongoTemplateStore(world.mongo), SystemClock())
    meter = MiningMeter(CollectorRegistry())
    await Miner(ports, world.gateway.parts.commands, 3_600, meter).mine()


async def the_open_one(world: World) -> dict[str, Any]:
    listed = (await world.client.get(PROPOSALS, params={"standing": "open"})).json()
    (found,) = [i for i in listed["items"] if "mkdir" in i["proposal"]["title"]]
    return dict(found)


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def nothing_recorded(servers: Servers) -> None:
    """What others record is found, too."""
    await emptied(servers, subjects.RECORD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("sites")
    (found / "base.conf").write_text("listen 80\n")
    return found


async def test_what_two_people_run_becomes_a_workflow_that_runs(world: World, folder: Path) -> None:
    """Recorded, found, accepted under a name of one's own, approved, and carried out."""
    for user in ("ann", "ben"):
        await recorded(world, user, folder)
    await mined(world)
    found = await the_open_one(world)
    proposal = found["proposal"]
    assert proposal["support"]["users"] == 2
    assert len(proposal["steps"]) == 3
    (name,) = proposal["template"]["parameters"]

    path = f"{PROPOSALS}/{proposal['id']}"
    accepted = await world.client.post(f"{path}/accept", json={"id": "make_site"})
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["stored"]["template"]["id"] == "make_site"
    shown = (await world.client.get(path)).json()
    assert (shown["standing"], shown["template_id"]) == ("accepted", "make_site")
    again = await world.client.post(f"{path}/accept")
    assert problem(again, 409)
    trail = await world.gateway.parts.events.about(proposal["id"], 10, category="audit")
    assert {event.type for event in trail} == {"audit.accept_found_workflow"}
    assert "make_site" in [event.data.get("template") for event in trail]

    body = {"template_id": "make_site", "parameters": {name: "news"}}
    started = (await world.client.post(f"{WORKFLOWS}/execute", json=body)).json()
    execution = f"{WORKFLOWS}/executions/{started['execution_id']}"
    approver = await world.as_role("operator", "approver")
    for _ in range(300):
        gates = (await world.client.get(f"{execution}/approvals")).json()["items"]
        if gates and gates[0]["status"] == "requested":
            break
        await asyncio.sleep(0.05)
    answer = await approver.post(
        f"{execution}/approve", json={"subject_hash": gates[0]["subject_hash"]}
    )
    assert answer.status_code == 202, answer.text
    for _ in range(30):
        view = (await world.client.get(f"{execution}?wait=5")).json()
        if view["ended"]:
            break
    assert view["status"] == "completed", view
    assert (folder / "news" / "news.conf").read_text() == "listen 80\n"
    assert (folder / "news" / "news.conf").stat().st_mode & 0o777 == 0o600


async def test_what_was_rejected_does_not_come_back(world: World, folder: Path) -> None:
    """A rejection keeps its reason, and mining again does not propose the same."""
    store = MongoProposals(world.mongo)
    (accepted,) = [one for one in await store.every() if one.standing == "accepted"]
    other = accepted.proposal.model_copy(update={"id": "prop-other"})
    await store.renew([other], 1)
    answer = await world.client.post(f"{PROPOSALS}/prop-other/reject", json={"reason": "no"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["standing"], answer.json()["reason"]) == ("rejected", "no")
    assert problem(await world.client.post(f"{PROPOSALS}/prop-other/reject"), 409)
    trail = await world.gateway.parts.events.about("prop-other", 10, category="audit")
    assert "no" in [event.data.get("reason") for event in trail]
    await mined(world)
    listed = (await world.client.get(PROPOSALS, params={"standing": "open"})).json()
    assert [i for i in listed["items"] if "mkdir" in i["proposal"]["title"]] == []


async def test_anothers_own_proposal_is_not_there(world: World) -> None:
    """What was found in one user's commands alone is shown to that user, and 404 to others."""
    store = MongoProposals(world.mongo)
    (accepted,) = [one for one in await store.every() if one.standing == "accepted"]
    own = accepted.proposal.model_copy(update={"id": "prop-own", "owner": "zoe"})
    await store.renew([own], 1)
    zoe = await world.as_role("operator", "zoe")
    assert (await zoe.get(f"{PROPOSALS}/prop-own")).status_code == 200
    listed = (await world.client.get(PROPOSALS)).json()["items"]
    assert "prop-own" not in [item["proposal"]["id"] for item in listed]
    assert problem(await world.client.get(f"{PROPOSALS}/prop-own"), 404)
    assert problem(await world.client.post(f"{PROPOSALS}/prop-own/accept"), 404)
    reader = await world.as_role("viewer", "reader")
    assert problem(await reader.post(f"{PROPOSALS}/prop-own/reject"), 403)


async def test_an_edited_template_is_checked_as_any_other(world: World) -> None:
    """An edited definition with an error is refused with 422, and the proposal stays open."""
    store = MongoProposals(world.mongo)
    (accepted,) = [one for one in await store.every() if one.standing == "accepted"]
    edited = accepted.proposal.model_copy(update={"id": "prop-edited"})
    await store.renew([edited], 1)
    path = f"{PROPOSALS}/prop-edited"
    step = {"id": "a", "command": "no-such-command"}
    broken = {"template": {"id": "x", "name": "x", "steps": [step]}}
    assert problem(await world.client.post(f"{path}/accept", json=broken), 422)
    sound = {"template": {"id": "edited_site", "name": "x", "steps": [{**step, "command": "noop"}]}}
    answer = await world.client.post(f"{path}/accept", json=sound)
    assert answer.status_code == 200, answer.text
    assert (await world.client.get(f"{WORKFLOWS}/templates/edited_site")).status_code == 200


async def test_hv_shows_edits_accepts_and_rejects(world: World, tmp_path: Path) -> None:
    """`hv proposals` lists what is open, tells all of one, gives its template to edit, and takes
    the edited one; a proposal that was rejected is told so."""
    store = MongoProposals(world.mongo)
    accepted = next(one for one in await store.every() if one.standing == "accepted")
    names = ("prop-first", "prop-second")
    await store.renew([accepted.proposal.model_copy(update={"id": name}) for name in names], 1)
    async with terminal(world) as shell:
        assert "prop-first" in await shell.hv("proposals")
        told = await shell.hv("proposals", "show", "prop-first")
        assert "2 users" in told
        assert "mkdir" in told
        edited = tmp_path / "edited.yaml"
        text = await shell.hv("proposals", "show", "prop-first", "--yaml")
        template_id = accepted.proposal.template.id
        edited.write_text(text.replace(f"id: {template_id}", "id: edited_by_hand", 1))
        said = await shell.hv("proposals", "accept", "prop-first", "--file", str(edited))
        assert "edited_by_hand 1.0.0" in said
        said = await shell.hv("proposals", "reject", "prop-second", "--reason", "twice")
        assert said.startswith("rejected")
        decided = await shell.json("proposals", "list", "--standing", "rejected")
        assert ("prop-second", "twice") in [
            (one["proposal"]["id"], one["reason"]) for one in decided["items"]
        ]
