"""Suggestions through the gateway: a suggestion service beside it, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.suggestion.bootstrap import sources_over
from services.suggestion.service import SuggestionService
from shared.adapters.models.minilm import installed_model
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.rpc import RpcService
from shared.automation.messages import Event
from shared.contracts import rpc, subjects
from shared.learning.records import RecordedCommand, RunRecord
from shared.memory.suggester import MemorySuggester
from shared.runtime.clock import SystemClock
from tests.integration.gateway_fixtures import emptied, quiet_world
from tests.integration.gateway_world import World
from tests.servers import Servers

ROLLOUT: dict[str, Any] = {
    "id": "web_rollout",
    "name": "Web rollout",
    "version": "1.0.0",
    "description": "Rolls a version of the shop out to one web server.",
    "parameters": {
        "host": {"type": "string"},
        "version": {"type": "string", "pattern": "^[0-9.]+$"},
        "api_token": {"type": "string", "required": False},
    },
    "policies": {"approval_required": True},
    "steps": [
        {
            "id": "drain",
            "command": "shell",
            "parameters": {"argv": ["lbctl", "drain", "${{ params.host }}"]},
        },
        {
            "id": "install",
            "command": "shell",
            "depends_on": ["drain"],
            "parameters": {
                "argv": ["shopctl", "install", "${{ params.version }}", "${{ params.host }}"]
            },
        },
        {
            "id": "back",
            "command": "shell",
            "depends_on": ["install"],
            "required_capabilities": ["balancer"],
            "parameters": {"argv": ["lbctl", "enable", "${{ params.host }}"]},
        },
    ],
}
ALERT = "CRITICAL: checkout is down, error rate above 40 % on web-1 since 14:05, customers affected"


__all__ = ["quiet_world"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(world: World, servers: Servers) -> AsyncIterator[SuggestionService]:
    await emptied(servers, subjects.RECORD)
    await world.client.post("/api/v1/workflows/templates", json=ROLLOUT)
    publisher = Publisher(world.bus, grouped=False)
    await publisher.start()
    sources = sources_over(world.bus, world.mongo, publisher)
    made = SuggestionService(sources, installed_model(), refresh_s=0.3, agents_s=0.3)
    made.start()
    endpoints = RpcService(world.bus, "suggestion", "1.0.0")
    await endpoints.start()
    await endpoints.serve(rpc.SUGGEST, made.suggest, at_once=8)
    await endpoints.serve(rpc.AUTOCOMPLETE, made.autocomplete, at_once=8)
    await endpoints.serve(rpc.NOTICE, made.notice, at_once=8)
    await made.ready()
    yield made
    await endpoints.close()
    await made.close()
    await publisher.close()


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/workflows/suggest", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ran(world: World, user: str, *lines: str, session: str = "s1") -> None:
    """Record commands, as recording does."""
    commands = [
        RecordedCommand(
            id=f"{user}-{session}-{n}", at_ms=n + 1, user=user, command=line, session=session
        )
        for n, line in enumerate(lines)
    ]
    await world.gateway.parts.record.sink.add(commands)


async def learned(service: SuggestionService, user: str, session: str, lines: int) -> None:
    """Wait until so many commands of a session have been learned (30 are kept)."""
    await until(lambda: len(service.models.sessions.lines(user, session)) >= min(lines, 30))


async def test_an_alert_is_answered_with_a_workflow_and_why(
    world: World, service: SuggestionService
) -> None:
    """The workflow comes first, with reasons, values of the text, and no runs yet."""
    found = await ask(world.client, context=ALERT)
    first = found["suggestions"][0]
    assert first["kind"] == "workflow"
    assert first["workflow"]["template_id"] == "incident_response"
    assert first["confidence"] > 0.6
    assert {one["kind"] for one in first["reasons"]} >= {"cue"}
    values = {one["name"]: one for one in first["workflow"]["parameters"]}
    assert values["severity"]["value"] == "critical"
    assert values["severity"]["source"] == "text"
    assert "web-1" in values["affected_systems"]["value"]
    assert first["workflow"]["outlook"]["success"] is None
    assert first["workflow"]["outlook"]["says"] == "no runs yet"
    assert not found["nothing_fits"]


async def test_what_asks_for_nothing_is_told_so(world: World, service: SuggestionService) -> None:
    """No workflow is offered for small talk."""
    found = await ask(world.client, context="Lunch at noon in the canteen?")
    assert found["nothing_fits"]
    assert found["nothing"] > 0.5
    assert [one for one in found["suggestions"] if one["kind"] == "workflow"] == []


async def test_a_started_workflow_is_known_by_its_commands(
    world: World, service: SuggestionService
) -> None:
    """After two of its steps the rest is offered, with the values that the commands gave, what is
    needed, and the next step as a command."""
    body = {"partial_sequence": ["lbctl drain web-7", "ls", "shopctl install 4.2.1 web-7"]}
    answer = await world.client.post("/api/v1/workflows/autocomplete", json=body)
    found = answer.json()["suggestions"]
    workflow = next(one for one in found if one["kind"] == "workflow")["workflow"]
    assert workflow["template_id"] == "web_rollout"
    assert workflow["progress"]["done"] == ["drain", "install"]
    assert [one["line"] for one in workflow["progress"]["rest"]] == ["lbctl enable web-7"]
    values = {one["name"]: (one["value"], one["source"]) for one in workflow["parameters"]}
    assert values == {"host": ("web-7", "commands"), "version": ("4.2.1", "commands")}
    assert workflow["needs"]["approvals"] == ["before it starts: anybody who may approve"]
    assert workflow["needs"]["capabilities_missing"] == ["balancer"]
    command = next(one for one in found if one["kind"] == "command")
    assert command["command"] == "lbctl enable web-7"


async def test_the_commands_of_a_session_are_enough(
    world: World, service: SuggestionService
) -> None:
    """What was recorded of the session counts where the question tells no commands."""
    operator = await world.as_role("operator", "ada")
    await ran(world, "ada", "lbctl drain web-2")
    await learned(service, "ada", "s1", 1)
    answer = await operator.post("/api/v1/workflows/autocomplete", json={"session": "s1"})
    begun = of_rollout(answer.json())
    assert begun["progress"]["done"] == ["drain"]
    other = await world.as_role("operator", "ben")
    answer = await other.post("/api/v1/workflows/autocomplete", json={"session": "s1"})
    assert "web-2" not in answer.text
    assert "web_rollout" not in answer.text


async def test_a_begun_workflow_is_offered_once_without_any_value(
    world: World, service: SuggestionService
) -> None:
    """The event names workflow and session; commands and values are for their user to ask for."""
    now = SystemClock().now_ms()
    lines = ["lbctl drain web-88", "shopctl install 9.9 web-88", "shopctl install 9.9 web-88"]
    await world.gateway.parts.record.sink.add(
        [
            RecordedCommand(
                id=f"offer-{n}", at_ms=now, user="olga", command=line, session="o", source="shell"
            )
            for n, line in enumerate(lines)
        ]
    )
    await learned(service, "olga", "o", 3)
    await asyncio.sleep(0.3)
    events = await world.gateway.parts.events.about("web_rollout", 10, category="suggestion")
    assert [(one.data["user"], one.data["session"], one.data["done"]) for one in events] == [
        ("olga", "o", 2)
    ]
    assert "web-88" not in events[0].model_dump_json()


async def test_an_alert_is_offered_the_workflow_that_it_asks_for(
    world: World, service: SuggestionService
) -> None:
    """Once for its key, without its text; what is resolved or no alert is not looked at."""
    receiver = "rc_alerts"
    labels = {"alertname": "CheckoutDown", "severity": "critical", "instance": "web-55"}
    told = {"summary": "Checkout is down, error rate above 40 %, customers are affected"}
    firing = Event(
        id="e1", type="alert.firing", key="k1", data={"labels": labels, "annotations": told}
    )
    resolved = firing.model_copy(update={"type": "alert.resolved", "key": "k2"})
    for _ in range(2):
        await world.gateway.suggesting.notice(receiver, [firing, resolved])
    await asyncio.sleep(0.3)
    events = await world.gateway.parts.events.about("incident_response", 10, category="suggestion")
    mine = [one.data for one in events if one.data.get("receiver") == receiver]
    assert [(one["why"], one["key"]) for one in mine] == [("alert", "k1")]
    assert "web-55" not in str(mine)


async def test_lines_of_one_user_are_never_shown_to_another(
    world: World, service: SuggestionService
) -> None:
    """A line is its user's until a second one has used it; then it is everybody's."""
    ann, bob = await world.as_role("operator", "ann"), await world.as_role("operator", "bob")
    habit = ["git pull", "make secret-thing-of-ann"] * 12
    await ran(world, "ann", *habit, session="a")
    await learned(service, "ann", "a", len(habit))
    mine = await ask(ann, recent_commands=["git pull"], session="a", kinds=["command"])
    assert "make secret-thing-of-ann" in [one["command"] for one in mine["suggestions"]]
    theirs = await ask(bob, recent_commands=["git pull"], session="b", kinds=["command"])
    assert "secret-thing-of-ann" not in str(theirs)
    await ran(world, "bob", "git pull", "make secret-thing-of-ann", session="b")
    await learned(service, "bob", "b", 2)
    eve = await world.as_role("operator", "eve")
    shared = await ask(eve, recent_commands=["git pull"], session="e", kinds=["command"])
    assert "make secret-thing-of-ann" in [one["command"] for one in shared["suggestions"]]


async def test_a_line_is_forgotten_at_once(world: World, service: SuggestionService) -> None:
    """No learning service works here, so no model is made anew: the line is gone all the same."""
    lines = ("cd /srv/shop", "shopctl unlock --pin 4711") * 4
    for user in ("kim", "lea"):
        await ran(world, user, *lines, "cd /srv/shop", session="forgets")
        await learned(service, user, "forgets", len(lines) + 1)
    kim = await world.as_role("operator", "kim")

    async def shown() -> set[str]:
        found = await ask(kim, session="forgets", limit=20)
        return {one["title"] for one in found["suggestions"] if one["kind"] == "command"}

    assert lines[1] in await shown()
    order = {"command": lines[1], "everybody": True}
    answer = await world.client.post("/api/v1/commands/forget", json=order)
    assert answer.status_code == 202, answer.text
    await until(lambda: service.models.hidden.hides(lines[1]))
    told = {"recent_commands": [lines[0]], "session": "forgets", "limit": 20}
    found = await ask(kim, **told)
    assert lines[1] not in {one["title"] for one in found["suggestions"]}
    assert lines[1] not in await shown()


async def test_values_of_one_user_are_never_shown_to_another(
    world: World, service: SuggestionService
) -> None:
    """What one person gave to a workflow is filled in for that person, and for others once a second
    one gave it; secret parameters are never filled."""
    ann, bob = await world.as_role("operator", "anna"), await world.as_role("operator", "bert")
    for number, user in enumerate(["anna", "anna", "anna"]):
        await world.gateway.parts.record.sink.add([a_run(number, user)])
    await runs(service, 3)
    body = {"intent": "roll out a new version of the shop to a web server: web rollout"}
    assert value_of(await ask(ann, **body), "host") == ("web-9", "yours")
    assert value_of(await ask(bob, **body), "host") is None
    await world.gateway.parts.record.sink.add([a_run(3, "bert")])
    await runs(service, 4)
    eve = await world.as_role("operator", "emil")
    found = await ask(eve, **body)
    assert value_of(found, "host") == ("web-9", "others")
    assert value_of(found, "api_token") is None
    outlook = of_rollout(found)["outlook"]
    assert (outlook["runs"], outlook["completed"]) == (4, 4)
    assert outlook["low"] < outlook["success"] < outlook["high"]
    assert outlook["duration_p50_ms"] == pytest.approx(8_000, rel=0.05)


async def test_feedback_is_learned_and_bounded(world: World, service: SuggestionService) -> None:
    """Who corrects a text is answered so from then on; for others one hostile user changes little,
    however often the same is said."""
    eve, bob = await world.as_role("operator", "eve2"), await world.as_role("operator", "bob2")
    before = await ask(bob, context=ALERT)
    texts = [f"{ALERT} ({number})" for number in range(60)]
    for number, text in enumerate([ALERT, *texts]):
        body = {
            "suggestion_id": f"sgt_{number}",
            "verdict": "edited",
            "suggested": "incident_response",
            "chosen": "knowledge_sharing",
            "text": text,
        }
        answer = await eve.post("/api/v1/suggestions/feedback", json=body)
        assert answer.status_code == 202, answer.text
    await until(lambda: len(service.models.feedback.labels) == 61 and service.matcher_is_taught)
    for_eve = await ask(eve, context=ALERT)
    assert for_eve["suggestions"][0]["workflow"]["template_id"] == "knowledge_sharing"
    other = "CRITICAL: login is down, error rate above 30 % on auth-2, customers cannot sign in"
    after = await ask(bob, context=other)
    assert after["suggestions"][0]["workflow"]["template_id"] == "incident_response"
    assert before["suggestions"][0]["workflow"]["template_id"] == "incident_response"


async def test_without_a_service_that_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 that names what is missing; nothing is guessed."""
    parts = replace(world.gateway.parts, suggester=MemorySuggester())
    monkeypatch.setattr(world.gateway.suggesting, "_parts", parts)
    answer = await world.client.post("/api/v1/workflows/suggest", json={"intent": "help"})
    assert answer.status_code == 503
    assert "suggestion service" in answer.json()["detail"]


async def test_an_edit_without_what_was_taken_is_refused(world: World) -> None:
    """The field is named."""
    body = {"suggestion_id": "sgt_1", "verdict": "edited", "suggested": "web_rollout"}
    answer = await world.client.post("/api/v1/suggestions/feedback", json=body)
    assert answer.status_code == 422
    assert "chosen" in answer.json()["detail"]


def a_run(number: int, user: str) -> RunRecord:
    return RunRecord(
        id=f"ex_{number}",
        at_ms=10_000 + number,
        template_id="web_rollout",
        template_version="1.0.0",
        status="completed",
        by=user,
        created_at_ms=1_000,
        started_at_ms=2_000 + number,
        parameters={"host": "web-9", "version": f"4.{number}"},
    )


async def runs(service: SuggestionService, count: int) -> None:
    """Wait until so many runs have been learned."""
    known = service.models.success.templates
    await until(lambda: "web_rollout" in known and known["web_rollout"].tally.runs >= count)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what comes over the record."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - models have nothing that tells of it
            await asyncio.sleep(0.02)


def of_rollout(found: dict[str, Any]) -> dict[str, Any]:
    parts = [one["workflow"] for one in found["suggestions"] if one["kind"] == "workflow"]
    return next(one for one in parts if one["template_id"] == "web_rollout")


def value_of(found: dict[str, Any], name: str) -> tuple[Any, str] | None:
    values = {one["name"]: one for one in of_rollout(found)["parameters"]}
    return (values[name]["value"], values[name]["source"]) if name in values else None
