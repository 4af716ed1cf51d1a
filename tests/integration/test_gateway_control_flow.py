"""Control flow through the gateway, with a real executor: loops, calls, choices, handlers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.test_gateway_executions import (
    EXECUTIONS,
    TEMPLATES,
    ask,
    reach,
    run,
    store,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = {"items": {"type": "array", "default": []}}


def echo(name: str, text: str, *depends_on: str, **fields: Any) -> dict[str, Any]:
    """A step that writes a text with a real program."""
    return {
        "id": name,
        "command": "shell",
        "parameters": {"argv": ["echo", text]},
        "depends_on": list(depends_on),
        **fields,
    }


def statuses(view: dict[str, Any]) -> dict[str, str]:
    return {step["id"]: step["status"] for step in view["steps"]}


async def test_a_loop_runs_a_program_for_each_item(world: World) -> None:
    """Each item is a real program; what they wrote is in the loop's output and in the logs."""
    loop = echo("each", "for ${{ item }}", foreach={"items": "params.items", "concurrency": 2})
    outputs = {"texts": "${{ steps.each.output.results.map(r, r.output.stdout) }}"}
    await store(world, "looping", loop, parameters=ITEMS, outputs=outputs)
    view = (await run(world, "looping", parameters={"items": ["a", "b", "c"]}))["execution"]
    assert view["status"] == "completed", view
    assert view["outputs"] == {"texts": ["for a\n", "for b\n", "for c\n"]}
    logs = await world.client.get(f"{EXECUTIONS}/{view['id']}/logs?step=each[1]")
    assert [line["text"] for line in logs.json()["items"]] == ["for b"]


async def test_a_sub_workflow_gives_its_outputs(world: World) -> None:
    """A called version runs as an execution of its own, and its outputs come back."""
    await store(
        world,
        "child",
        echo("say", "hello ${{ params.who }}"),
        parameters={"who": {"type": "string"}},
        outputs={"said": "${{ steps.say.output.stdout }}"},
    )
    call = {
        "id": "call",
        "workflow": {"template": "child", "version": "1.0.0"},
        "parameters": {"who": "${{ item }}"},
        "foreach": {"items": "['x', 'y']"},
    }
    await store(world, "parent", call, outputs={"all": "${{ steps.call.output.results }}"})
    view = (await run(world, "parent"))["execution"]
    assert view["status"] == "completed", view
    said = [result["output"]["outputs"]["said"] for result in view["outputs"]["all"]]
    assert said == ["hello x\n", "hello y\n"]
    children = [step["child"] for step in view["steps"] if step["child"]]
    child = (await world.client.get(f"{EXECUTIONS}/{children[0]}")).json()
    assert child["parent"]["execution_id"] == view["id"]
    assert child["requested_by"] == view["requested_by"]


async def test_cancel_and_pause_reach_into_a_sub_workflow(world: World) -> None:
    """A child is paused with its parent, and cancelled with it, its program stopped with proof."""
    sleep = {"id": "long", "command": "shell", "parameters": {"argv": ["sleep", "60"]}}
    await store(world, "sleeper", sleep, echo("after", "never", "long"))
    call = {"id": "call", "workflow": {"template": "sleeper", "version": "1.0.0"}}
    await store(world, "waker", call)
    parent = (await run(world, "waker", wait=0))["execution_id"]
    view = await reach(world, parent, "running")
    child = view["steps"][0]["child"]
    await _until_running(world, child, "long")
    assert (await ask(world, parent, "pause"))[0] == 202
    await reach(world, child, "paused")
    assert (await ask(world, parent, "resume"))[0] == 202
    await reach(world, child, "running")
    assert (await ask(world, parent, "cancel", reason="enough"))[0] == 202
    ended = await reach(world, parent, "cancelled")
    assert statuses(ended) == {"call": "cancelled"}
    stopped = await reach(world, child, "cancelled")
    [attempt] = stopped["steps"][0]["attempts"]
    assert attempt["proof"]["gone"] is True


async def test_the_first_of_a_signal_and_a_delay(world: World) -> None:
    """A signal that is accepted decides; the other branch does not run; the same id counts once."""
    choice = {
        "id": "decide",
        "wait_for": {
            "options": [
                {"signal": "deployed", "accept": "data.ok", "then": ["announce"]},
                {"after_s": 300, "then": ["give_up"]},
            ]
        },
    }
    steps = (
        choice,
        echo("announce", "v${{ steps.decide.output.data.version }}"),
        echo("give_up", "x"),
    )
    await store(world, "choosing", *steps)
    execution = (await run(world, "choosing", wait=0))["execution_id"]
    await reach(world, execution, "waiting")
    for data, key in (({"ok": False}, "s1"), ({"ok": True, "version": 7}, "s2")):
        status, _ = await ask(world, execution, "signals/deployed", data=data, id=key)
        assert status == 202
    view = await reach(world, execution, "completed", "failed")
    assert statuses(view) == {
        "decide": "completed",
        "announce": "completed",
        "give_up": "skipped",
    }
    assert (await ask(world, execution, "signals/deployed"))[0] == 409


async def test_handlers_run_real_programs(world: World, tmp_path: Path) -> None:
    """After a failure the template's handlers run, and at the end what always runs."""
    ledger = tmp_path / "ledger"
    append = ["sh", "-c", f"echo $0 >> {ledger}"]

    def note(name: str, text: str) -> dict[str, Any]:
        return {"id": name, "command": "shell", "parameters": {"argv": [*append, text]}}

    broken = {"id": "broken", "command": "shell", "parameters": {"argv": ["false"]}}
    await store(
        world,
        "handled",
        broken,
        on_failure=[note("tell", "failed at ${{ failure.step }}")],
        **{"finally": [note("clean", "cleaned")]},
    )
    view = (await run(world, "handled"))["execution"]
    assert view["status"] == "failed"
    assert ledger.read_text().splitlines() == ["failed at broken", "cleaned"]


async def test_finally_runs_after_a_cancel(world: World, tmp_path: Path) -> None:
    """What must run at any end runs after a cancel, too."""
    made = tmp_path / "cleaned"
    sleep = {"id": "long", "command": "shell", "parameters": {"argv": ["sleep", "60"]}}
    clean = {"id": "clean", "command": "shell", "parameters": {"argv": ["touch", str(made)]}}
    await store(world, "cancelled-cleanly", sleep, **{"finally": [clean]})
    execution = (await run(world, "cancelled-cleanly", wait=0))["execution_id"]
    await _until_running(world, execution, "long")
    await ask(world, execution, "cancel")
    view = await reach(world, execution, "cancelled")
    assert statuses(view) == {"long": "cancelled", "clean": "completed"}
    assert made.exists()


async def test_a_region_is_cancelled_by_hand(world: World) -> None:
    """A region's program is stopped, and the execution goes on to its end."""
    sleep = {
        "id": "slow",
        "command": "shell",
        "parameters": {"argv": ["sleep", "60"]},
        "region": "r",
    }
    await store(world, "regional", sleep, echo("quick", "done"))
    execution = (await run(world, "regional", wait=0))["execution_id"]
    await _until_running(world, execution, "slow")
    status, detail = await ask(world, execution, "regions/nowhere/cancel")
    assert (status, "Regions of its template: r" in detail) == (404, True)
    assert (await ask(world, execution, "regions/r/cancel", reason="too slow"))[0] == 202
    view = await reach(world, execution, "completed")
    assert statuses(view) == {"slow": "cancelled", "quick": "completed"}


async def test_instances_are_added_to_a_loop_that_runs(world: World) -> None:
    """Items are added by who knows how many there are; any other count is refused."""
    loop = {
        "id": "each",
        "command": "shell",
        "parameters": {"argv": ["sleep", "${{ item }}"]},
        "foreach": {"items": "params.items"},
    }
    await store(world, "growing", loop, parameters=ITEMS)
    ran = await run(world, "growing", wait=0, parameters={"items": ["1"]})
    await _until_running(world, ran["execution_id"], "each[0]")
    add = "steps/each/instances"
    assert (await ask(world, ran["execution_id"], add, items=["0"], after=4))[0] == 409
    assert (await ask(world, ran["execution_id"], add, items=["0"], after=1))[0] == 202
    view = await reach(world, ran["execution_id"], "completed")
    assert statuses(view) == dict.fromkeys(("each", "each[0]", "each[1]"), "completed")
    assert (await ask(world, ran["execution_id"], add, items=["0"], after=2))[0] == 409


async def test_until_polls_a_real_file(world: World, tmp_path: Path) -> None:
    """A step is run again until what it finds is what was waited for."""
    counter = tmp_path / "count"
    script = f"echo x >> {counter}; wc -l < {counter}"
    poll = {
        "id": "poll",
        "command": "shell",
        "parameters": {"argv": ["sh", "-c", script]},
        "until": {"condition": "output.stdout.trim() == '3'", "max_rounds": 9, "delay_s": 0.1},
    }
    await store(world, "polling", poll)
    view = (await run(world, "polling"))["execution"]
    assert view["status"] == "completed", view
    assert view["steps"][0]["attempt"] == 3


async def test_a_call_is_checked_when_it_is_stored(world: World) -> None:
    """A version that is not stored, and parameters that it does not have, are named."""
    await store(world, "callee", echo("a", "${{ params.x }}"), parameters={"x": {"type": "string"}})
    for call, field in (
        ({"template": "nope", "version": "1.0.0"}, "steps/0/workflow"),
        ({"template": "callee", "version": "9.0.0"}, "steps/0/workflow"),
        ({"template": "callee", "version": "1.0.0"}, "steps/0/parameters/x"),
    ):
        definition = {"id": "caller", "name": "c", "steps": [{"id": "a", "workflow": call}]}
        answer = await world.client.post(TEMPLATES, json=definition)
        assert answer.status_code == 422
        assert [e["field"] for e in answer.json()["errors"]] == [field]


async def _until_running(world: World, execution: str, step: str) -> None:
    for _ in range(300):
        view = (await world.client.get(f"{EXECUTIONS}/{execution}")).json()
        if statuses(view).get(step) == "running":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{step} does not run: {view}")
