"""Why executions wait, on real servers: what the gateway says of approvals, retries, agents that
lack something, sub-workflows, quarantine, and of agents and coordinators that were killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from ops.stack.servers import EmbeddedServers
from tests.integration.executor.processes import PATIENCE_S
from tests.integration.executor.world import World, noop, shell
from tests.integration.gateway_world import World as GatewayWorld
from tests.integration.gateway_world import open_world
from tests.integration.hv_of_world import terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXECUTIONS = "/api/v1/workflows/executions"
LABELS = "zone=a"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    world: World, own_servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GatewayWorld]:
    """A gateway with the rights of one, on the servers of the executors."""
    home = tmp_path_factory.mktemp("gateway")
    url = own_servers.nats_url("gateway")
    async with open_world(url, own_servers.mongo_url, home) as opened:
        await world.executor("brain", role="coordinator")
        await world.executor("hands", role="runner", agent_labels=LABELS)
        yield opened


async def explained(gateway: GatewayWorld, execution: str, cause: str) -> dict[str, Any]:
    """The explanation, once its first finding is of this cause."""
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await gateway.client.get(f"{EXECUTIONS}/{execution}/explain")
                assert answer.status_code == 200, answer.text
                found = answer.json()
                if [one["cause"] for one in found["findings"][:1]] == [cause]:
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not {cause}: {found}") from None


async def test_what_executions_wait_for(world: World, gateway: GatewayWorld) -> None:
    """Each says what it waits for, what is missing, and for how long the same usually took."""
    usual = await world.template("quick", [noop("q")])
    for _ in range(3):
        await world.ended(await world.request(usual))
    waits = {"id": "w", "wait_for": {"options": [{"signal": "go", "then": ["n"]}]}}
    asked = await world.start("asked", [noop("a", approval={"approvers": {"groups": ["dba"]}})])
    retried = await world.start(
        "retried", [shell("r", "exit 3", retry={"max_attempts": 2, "delay_s": 300})]
    )
    unfit = await world.start(
        "unfit",
        [noop("u", required_capabilities=["gpu"], target={"labels": {"zone": "b"}})],
    )
    await world.template("inner", [waits, noop("n", depends_on=["w"])])
    outer = await world.start(
        "outer", [{"id": "c", "workflow": {"template": "inner", "version": "1.0.0"}}]
    )
    busy = await world.start("busy", [shell("s", "echo begun; sleep 60"), noop("t")])
    found = await explained(gateway, asked, "approval")
    assert "group dba, but not of who asked for it" in found["answer"]
    found = await explained(gateway, retried, "retry_delay")
    assert "exit_code" in found["answer"] or "exit" in found["answer"]
    assert found["findings"][0]["due_ms"] > found["at_ms"]
    found = await explained(gateway, unfit, "nobody_fits")
    assert (
        "hands lacks the capability gpu, has zone=a, not zone=b".replace("zone=b", "b")
        in (found["answer"])
    )
    found = await explained(gateway, outer, "child")
    child = found["findings"][0]["child"]
    assert (child["status"], child["findings"][0]["cause"]) == ("waiting", "signal")
    assert "signal go" in found["answer"]
    found = await explained(gateway, busy, "running")
    assert "s runs on hands, seen" in found["answer"]
    ended = await world.request(usual)
    await world.ended(ended)
    found = await explained(gateway, ended, "ended")
    assert found["findings"][0]["normally"] == "3 of the last 3 runs completed."
    async with terminal(gateway) as shell_:
        said = await shell_.hv("why", outer)
        assert "signal go" in said
        assert "try " in said
        assert (await shell_.json("why", asked))["findings"][0]["cause"] == "approval"
    for execution in (asked, retried, unfit, outer, busy):
        await world.cancel(execution)
    assert (await gateway.client.get(f"{EXECUTIONS}/ex_none/explain")).status_code == 404


async def test_what_is_in_quarantine(world: World, gateway: GatewayWorld) -> None:
    """Poison about an execution, a request whose template is missing, and a damaged state."""
    waiting = await world.start(
        "waits", [{"id": "w", "command": "wait", "parameters": {"seconds": 600}}]
    )
    await world.step_when(waiting, "w", "waiting")
    await world.publish_raw(waiting, b'{"type": "nonsense"}')
    found = await explained(gateway, waiting, "quarantined")
    assert found["action"].startswith(f"hv quarantine show {waiting}:")
    assert found["findings"][1]["cause"] == "wait"
    missing = await world.request("absent")
    found = await explained(gateway, missing, "quarantined")
    assert "absent@1.0.0 is not stored" in found["answer"]
    executions = world.mongo.database["executions"]
    await executions.update_one({"_id": waiting}, {"$set": {"state": "{"}})
    await explained(gateway, waiting, "damaged")


@pytest.mark.long
async def test_who_was_killed(world: World, gateway: GatewayWorld) -> None:
    """The coordinator and the agent that runs a step are killed: nobody holds the partition, and
    the agent has not been seen; with a coordinator again, the attempt is lost, and a person is
    asked."""
    target = {"host": "doomed"}
    doomed = await world.executor("doomed", role="runner")
    step = shell("s", "echo begun; sleep 300", target=target, on_lost="ask")
    execution = await world.start("killed", [step])
    await world.step_when(execution, "s", "running")
    await asyncio.gather(doomed.kill(), world.executors["brain"].kill())
    found = await explained(gateway, execution, "no_coordinator")
    assert found["action"] == "hv status"
    unseen = await world.request("killed")
    found = await explained(gateway, unseen, "no_coordinator")
    assert [one["cause"] for one in found["findings"]] == ["no_coordinator", "accepted"]
    await world.cancel(unseen)

    async def both() -> bool:
        answer = (await gateway.client.get(f"{EXECUTIONS}/{execution}/explain")).json()
        return [one["cause"] for one in answer["findings"]] == ["no_coordinator", "agent_gone"]

    await world.until(both, "the agent has not been seen")
    await world.executors["brain"].start()
    found = await explained(gateway, execution, "lost")
    assert "doomed had started it and is gone" in found["answer"]
    assert found["findings"][0]["waits_for"]["message"] == "lost_resolved"
    await world.cancel(execution)
    await world.all_ended([execution, unseen])
