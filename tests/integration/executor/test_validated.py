"""A real validator looks at real agents, on real servers, and leaves no trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.adapters.nats.connection import connect
from shared.adapters.nats.validator import NatsValidator
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.ports.validator import ValidatorAwayError
from shared.workflow.definition import Template
from tests.integration.executor.validator_process import ValidatorProcess
from tests.integration.executor.world import World, shell

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUNS = 12
STEPS = [
    shell("look", "true", irreversible="it only looks"),
    shell("change", "true", depends_on=["look"], target={"labels": {"role": "web"}}),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(world: World) -> World:
    """Two agents, one of which runs no scripts and has a secret; and some runs that are over."""
    policy = world.home / "policy.yaml"
    policy.write_text("shell: {allow_scripts: false}\n")
    await world.executor("open", agent_labels="role=web")
    await world.executor(
        "closed",
        agent_labels="role=db",
        agent_policy=policy,
        secrets_env="DB_PASSWORD",
        DB_PASSWORD="a-very-secret-value",
    )
    await world.template("known", STEPS)
    await world.all_ended([await world.request("known") for _ in range(RUNS)])
    return world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator(fleet: World) -> AsyncIterator[NatsValidator]:
    """As the gateway asks: with its own user."""
    bus = await connect(fleet.servers.nats_url("gateway"), "gateway")
    async with ValidatorProcess(fleet.servers, fleet.home):
        yield NatsValidator(bus)
    await bus.close()


async def ask(
    validator: NatsValidator, *steps: dict[str, Any], level: str = "strict", **others: Any
) -> ValidationAnswer:
    made = {"id": "known", "name": "K", "steps": list(steps), **others}
    question = {"template": Template.model_validate(made), "level": level, "parameters": {}}
    return await validator.look(ValidationQuestion.model_validate(question))


async def test_agents_are_asked_for_real(validator: NatsValidator) -> None:
    """Who fits, what a policy refuses, who has a secret."""
    fine = await ask(validator, *STEPS)
    assert [(f.code, f.severity) for f in fine.findings] == [("policy-refuses", "warning")]
    on_db = {"target": {"labels": {"role": "db"}}}
    refused = await ask(validator, shell("a", "true", **on_db))
    assert [(f.code, f.severity) for f in refused.findings] == [("policy-refuses", "error")]
    nobody = await ask(validator, shell("a", "true", target={"labels": {"role": "mail"}}))
    assert [f.code for f in nobody.findings] == ["no-agent"]
    headers = {"X": "${{ secrets.DB_PASSWORD }}"}
    step = {"id": "a", "command": "http", "parameters": {"url": "http://x", "headers": headers}}
    assert (await ask(validator, {**step, **on_db})).findings == ()
    elsewhere = await ask(validator, {**step, "target": {"labels": {"role": "web"}}})
    assert [f.code for f in elsewhere.findings] == ["secret-missing"]


async def test_a_forecast_rests_on_what_ran(validator: NatsValidator) -> None:
    """The runs that are stored are counted, and tell how long it takes."""
    answer = await ask(validator, *STEPS, level="paranoid")
    assert answer.forecast is not None
    assert answer.forecast.learned_runs == RUNS
    seen = {(one.step, one.what): one for one in answer.forecast.figures}
    assert seen["look", "duration_s"].source == "history"
    assert seen["look", "failure_rate"].seen == RUNS
    assert answer.forecast.duration_s.p50 < 5


async def test_what_steps_address_is_tried_from_the_agents(validator: NatsValidator) -> None:
    """A port that is open, and one that is not."""

    async def met(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    step = {"id": "a", "command": "http", "parameters": {"url": f"http://127.0.0.1:{port}/x"}}
    there = await ask(validator, step, level="paranoid")
    assert not {f.code for f in there.findings} & {"unreachable-host", "not-looked-at"}
    server.close()
    await server.wait_closed()
    gone = await ask(validator, step, level="paranoid")
    found = [f for f in gone.findings if f.code == "unreachable-host"]
    assert [f.severity for f in found] == ["error"]
    assert f"127.0.0.1:{port}" in found[0].message


async def traces(world: World) -> dict[str, Any]:
    """The last message of every stream, and what is in every collection, by hash; but for what
    agents and coordinators renew every few seconds."""
    infos = await world.bus.jetstream.streams_info()
    renewed = {"KV_agents", "KV_leases"}
    streams = {i.config.name: i.state.last_seq for i in infos if i.config.name not in renewed}
    hashes = await world.mongo.database.command("dbHash")
    return {**streams, **hashes["collections"]}


async def test_nothing_is_written(fleet: World, validator: NatsValidator) -> None:
    """Of a look at the deepest level nothing is left in NATS or MongoDB, not a message and not a
    byte."""
    before = await traces(fleet)
    assert {"JOURNAL_0", "TASKS", "EVENTS", "executions", "templates"} <= before.keys()
    step = {"id": "a", "command": "http", "parameters": {"url": "http://127.0.0.1:1/x"}}
    answer = await ask(validator, *STEPS, step, level="paranoid")
    assert answer.forecast is not None
    assert await traces(fleet) == before


async def test_another_one_answers_when_one_is_killed(
    fleet: World, validator: NatsValidator
) -> None:
    """Validators share the questions; who asks again is answered by those that are left."""
    async with ValidatorProcess(fleet.servers, fleet.home, "other") as other:
        answers = await asyncio.gather(*(ask(validator, *STEPS) for _ in range(10)))
        assert all(answer == answers[0] for answer in answers)
        await other.kill()
        answered = 0
        for _ in range(10):
            try:
                answered += (await ask(validator, *STEPS)) == answers[0]
            except ValidatorAwayError:
                continue
        assert answered >= 8
