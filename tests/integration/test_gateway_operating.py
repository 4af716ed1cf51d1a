"""Operators through the gateway, with a real executor: single steps, re-runs, bulk."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.gateway.operations import reruns
from tests.integration.gateway_answers import problem
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.test_gateway_executions import (
    EXECUTE,
    EXECUTIONS,
    TEMPLATES,
    ask,
    reach,
    reach_step,
    run,
    store,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

RETRY = {"max_attempts": 2, "delay_s": 600, "jitter": 0}


def sh(
    name: str, script: str, *depends_on: str, env: dict[str, str] | None = None, **fields: Any
) -> dict[str, Any]:
    """A step that runs a script."""
    parameters: dict[str, Any] = {"script": script, "env": env or {}}
    made = {"id": name, "command": "shell", "parameters": parameters, "depends_on": [*depends_on]}
    return {**made, **fields}


def noop(name: str, *depends_on: str, echo: Any = None, **fields: Any) -> dict[str, Any]:
    """A step that gives its value back."""
    return {
        "id": name,
        "command": "noop",
        "parameters": {"echo": echo},
        "depends_on": [*depends_on],
        **fields,
    }


def statuses(view: dict[str, Any]) -> dict[str, str]:
    return {step["id"]: step["status"] for step in view["steps"]}


def the_step(view: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [step for step in view["steps"] if step["id"] == name]
    return dict(found)


async def rerun(world: World, execution: str, **body: Any) -> dict[str, Any]:
    answer = await world.client.post(f"{EXECUTIONS}/{execution}/rerun", json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def audited(world: World, action: str, subject: str, **said: str) -> dict[str, Any]:
    """The data of the first event in the audit trail of an action on an execution, with this."""
    async with asyncio.timeout(20):
        async for kept in world.gateway.parts.events.read(0):
            event = kept.event
            about = {"subject": subject, **said}
            if event.type == f"audit.{action}" and about.items() <= event.data.items():
                return dict(event.data)
    raise AssertionError(f"{action} of {subject} is not in the audit")


async def test_breakpoints(world: World) -> None:
    """Given with the request and while it runs; it pauses there, says so, and goes on past."""
    await store(world, "op_break", noop("a"), noop("b", "a"), noop("c", "b"), noop("d", "c"))
    accepted = await run(world, "op_break", wait=0, pause_before=["b"])
    execution = accepted["execution_id"]
    view = await reach(world, execution, "paused")
    assert (view["pause"]["step"], statuses(view)["b"]) == ("b", "pending")
    assert (await ask(world, execution, "breakpoints", set_before=["c", "d"], reason="look"))[
        0
    ] == (202)
    status, said = await ask(world, execution, "breakpoints", set_before=["a"])
    assert status == 409
    assert "it has begun" in said
    assert (await ask(world, execution, "breakpoints", clear=["d"]))[0] == 202
    assert (await ask(world, execution, "breakpoints"))[0] == 422
    assert (await ask(world, execution, "resume", reason="seen"))[0] == 202
    await reach_step(world, execution, "b", "completed")
    view = await reach(world, execution, "paused")
    assert (view["pause"]["step"], view["breakpoints"]) == ("c", [])
    assert (await ask(world, execution, "resume"))[0] == 202
    ended = await reach(world, execution, "completed")
    assert ended["pause"] is None
    assert (await audited(world, "resume_execution", execution))["reason"] == "seen"
    assert (await audited(world, "set_breakpoints", execution))["reason"] == "look"
    unknown = {"template_id": "op_break", "pause_before": ["nowhere"]}
    problem(await world.client.post(EXECUTE, json=unknown), 422)


async def test_what_runs_is_stopped_before_its_mark_decides(world: World) -> None:
    """With proof; the next step uses the output that was given; who and why is told."""
    await store(
        world,
        "op_mark",
        sh("long", "sleep 60"),
        noop("use", "long", echo="${{ steps.long.output.exit_code }}"),
        outputs={"n": "${{ steps.use.output.echo }}"},
    )
    execution = (await run(world, "op_mark", wait=0))["execution_id"]
    await reach_step(world, execution, "long", "running")
    body = {"verdict": "completed", "output": {"exit_code": 7}, "reason": "done by hand"}
    assert (await ask(world, execution, "steps/long/mark", **body))[0] == 202
    view = await reach(world, execution, "completed")
    long = the_step(view, "long")
    assert view["outputs"] == {"n": 7}
    assert long["marked"] == {
        "verdict": "completed",
        "by": {"kind": "user", "id": "admin"},
        "reason": "done by hand",
    }
    [attempt] = long["attempts"]
    assert (attempt["outcome"], attempt["proof"]["gone"]) == ("cancelled", True)
    events = (await world.client.get(f"{EXECUTIONS}/{execution}/events")).json()["items"]
    [marked] = [event for event in events if event["type"] == "step.marked"]
    assert marked["data"]["mark"]["reason"] == "done by hand"
    audit = await audited(world, "mark_step", execution)
    assert (audit["step"], audit["verdict"], audit["reason"]) == (
        "long",
        "completed",
        "done by hand",
    )
    status, said = await ask(world, execution, "steps/long/mark", **body)
    assert status == 409
    assert "has ended" in said
    assert (await ask(world, execution, "steps/long/mark", verdict="failed", reason=" "))[0] == 422


async def test_what_waits_is_run_now(world: World) -> None:
    """A long wait, a retry and a step that no agent fits go on at once."""
    await store(world, "op_wait", {"id": "w", "command": "wait", "parameters": {"seconds": 900}})
    waiting = (await run(world, "op_wait", wait=0))["execution_id"]
    await reach_step(world, waiting, "w", "waiting")
    assert (await ask(world, waiting, "steps/w/run-now", reason="no time"))[0] == 202
    ended = await reach(world, waiting, "completed")
    assert the_step(ended, "w")["output"]["waited_s"] < 300
    events = (await world.client.get(f"{EXECUTIONS}/{waiting}/events")).json()["items"]
    [hurried] = [event for event in events if event["type"] == "step.hurried"]
    assert (hurried["data"]["by"]["id"], hurried["data"]["reason"]) == ("admin", "no time")

    flag = world.home / "op_retry"
    await store(world, "op_retry", sh("r", f"test -e {flag}", retry=RETRY))
    retrying = (await run(world, "op_retry", wait=0))["execution_id"]
    await reach_step(world, retrying, "r", "retrying")
    flag.touch()
    assert (await ask(world, retrying, "steps/r/run-now"))[0] == 202
    assert (await reach(world, retrying, "completed"))["steps"][0]["attempt"] == 2

    blocked_step = noop("b", required_capabilities=["nobody-has-it"], start_timeout_s=600)
    await store(world, "op_blocked", blocked_step, sh("x", "sleep 60"))
    blocked = (await run(world, "op_blocked", wait=0))["execution_id"]
    await reach_step(world, blocked, "b", "blocked")
    assert (await ask(world, blocked, "steps/b/run-now"))[0] == 202
    status, said = await ask(world, blocked, "steps/x/run-now")
    assert status == 409
    assert "waits for no delay" in said
    assert (await ask(world, blocked, "steps/nowhere/run-now"))[0] == 404
    assert (await ask(world, blocked, "cancel"))[0] == 202
    await reach(world, blocked, "cancelled")


async def test_a_re_run_keeps_what_was_done(world: World) -> None:
    """What completed is not run again, its output is used; with changed inputs, from any step, in
    a newer version; nothing of the first execution changes."""
    trace = world.home / "op_trace"
    steps = (
        sh("first", f"echo first >> {trace}; echo out"),
        sh("second", f"echo second >> {trace}; test ${{{{ params.n }}}} -gt 1", "first"),
        noop("third", "second", echo="${{ steps.first.output.stdout }}"),
    )
    more = {
        "parameters": {"n": {"type": "integer", "default": 1}},
        "outputs": {"out": "${{ steps.third.output.echo }}"},
    }
    await store(world, "op_again", *steps, **more)
    before = (await run(world, "op_again", labels={"team": "web"}))["execution"]
    assert before["status"] == "failed"
    dry = await rerun(world, before["id"], failed_only=True, dry_run=True, parameters={"n": 2})
    assert dry["execution_id"] is None
    assert (dry["kept"], dry["again"], dry["anew"]) == (
        ["first"],
        {"second": "it uses the input n, which changed"},
        ["third"],
    )
    key = {"Idempotency-Key": "once"}
    body = {"failed_only": True, "parameters": {"n": 2}, "reason": "n was too small"}
    path = f"{EXECUTIONS}/{before['id']}/rerun"
    answer = await world.client.post(path, json=body, headers=key)
    new = answer.json()["execution_id"]
    assert answer.headers["Location"] == f"{EXECUTIONS}/{new}"
    repeated = (await world.client.post(path, json=body, headers=key)).json()
    assert (repeated["execution_id"], repeated["replayed"]) == (new, True)
    problem(await world.client.post(path, json={**body, "reason": "x"}, headers=key), 422)
    after = await reach(world, new, "completed")
    assert after["outputs"] == {"out": "out\n"}
    assert after["rerun"] == {
        "execution_id": before["id"],
        "by": {"kind": "user", "id": "admin"},
        "reason": "n was too small",
    }
    assert the_step(after, "first")["kept_from"] == before["id"]
    assert the_step(after, "first")["attempts"] == the_step(before, "first")["attempts"]
    assert (after["labels"], after["parameters"]) == ({"team": "web"}, {"n": 2})
    assert trace.read_text() == "first\nsecond\nsecond\n"
    reason = "n was too small"
    assert await audited(world, "rerun_execution", before["id"], reason=reason, new_execution=new)
    again = (await world.client.get(f"{EXECUTIONS}/{before['id']}")).json()
    assert again == before


async def test_a_re_run_in_a_newer_version(world: World) -> None:
    """From any step; what cannot be is refused, with what to do."""
    trace = world.home / "op_newer"
    steps = (sh("first", f"echo first >> {trace}"), sh("second", "false", "first"))
    more = {"parameters": {"n": {"type": "integer", "default": 1}}}
    await store(world, "op_newer", *steps, **more)
    before = (await run(world, "op_newer"))["execution"]
    fixed = {"id": "op_newer", "name": "op_newer", "version": "1.1.0", **more}
    changed = {**steps[1], "parameters": {"script": f"echo fixed >> {trace}"}}
    definition = {**fixed, "steps": [steps[0], changed]}
    assert (await world.client.post(TEMPLATES, json=definition)).status_code == 201
    newer = await rerun(world, before["id"], from_step="second", version="1.1.0")
    assert newer["template_version"] == "1.1.0"
    await reach(world, newer["execution_id"], "completed")
    assert trace.read_text() == "first\nfixed\n"
    path = f"{EXECUTIONS}/{before['id']}/rerun"
    for wrong, status in (
        ({"from_step": "nowhere"}, 409),
        ({"from_step": "first", "failed_only": True}, 422),
        ({"version": "9.9.9"}, 404),
        ({"parameters": {"n": "x"}}, 422),
        ({"pause_before": ["nowhere"]}, 422),
    ):
        problem(await world.client.post(path, json=wrong), status)
    running = (await run(world, "op_newer", wait=0, pause_before=["first"]))["execution_id"]
    await reach(world, running, "paused")
    assert (
        "has not ended"
        in problem(await world.client.post(f"{EXECUTIONS}/{running}/rerun", json={}), 409)["detail"]
    )
    await ask(world, running, "cancel")


async def test_a_re_run_goes_on_in_the_sub_workflow_that_failed(world: World) -> None:
    """Two calls deep: what every level had done is kept; a loop keeps the calls that completed."""
    trace, flag = world.home / "op_deep", world.home / "op_deep_flag"
    await store(
        world,
        "op_leaf",
        sh("one", f'echo one "$X" >> {trace}', env={"X": "${{ params.x }}"}),
        sh("two", f'test "$X" != bad || test -e {flag}', "one", env={"X": "${{ params.x }}"}),
        parameters={"x": {"type": "string"}},
    )
    leaf = {
        "id": "leaves",
        "workflow": {"template": "op_leaf", "version": "1.0.0"},
        "parameters": {"x": "${{ item }}"},
        "depends_on": ["begin"],
        "foreach": {"items": "['good', 'bad']"},
    }
    await store(world, "op_middle", sh("begin", f"echo begin >> {trace}"), leaf)
    call = {"id": "call", "workflow": {"template": "op_middle", "version": "1.0.0"}}
    await store(world, "op_top", call, noop("end", "call"))
    before = (await run(world, "op_top"))["execution"]
    assert before["status"] == "failed", before
    assert sorted(trace.read_text().split("\n")) == ["", "begin", "one bad", "one good"]
    flag.touch()
    answer = await rerun(world, before["id"], failed_only=True)
    assert answer["children"] == {"call": the_step(before, "call")["child"]}
    after = await reach(world, answer["execution_id"], "completed", "failed")
    assert after["status"] == "completed", after
    assert sorted(trace.read_text().split("\n")) == ["", "begin", "one bad", "one good"]
    child = (await world.client.get(f"{EXECUTIONS}/{the_step(after, 'call')['child']}")).json()
    assert child["rerun"]["execution_id"] == answer["children"]["call"]
    assert the_step(child, "leaves[0]")["kept_from"] == answer["children"]["call"]
    whole = await rerun(world, before["id"], failed_only=True, whole_children=True)
    assert whole["children"] == {}
    await reach(world, whole["execution_id"], "completed")
    assert trace.read_text().count("begin") == 2


async def test_approvals_of_a_re_run(world: World) -> None:
    """Nobody is asked twice about the same; about something else they are."""
    await store(
        world,
        "op_gate",
        sh("a", "test ${{ params.n }} -gt 1", approval={"allow_self_approval": True}),
        parameters={"n": {"type": "integer", "default": 1}},
    )
    execution = (await run(world, "op_gate", wait=0))["execution_id"]
    await reach(world, execution, "waiting")
    gates = await world.client.get(f"{EXECUTIONS}/{execution}/approvals")
    digest = gates.json()["items"][0]["subject_hash"]
    assert (await ask(world, execution, "approve", subject_hash=digest))[0] == 202
    await reach(world, execution, "failed")
    same = await rerun(world, execution, failed_only=True)
    assert same["approvals"] == ["a"]
    ended = await reach(world, same["execution_id"], "failed", "waiting")
    assert ended["status"] == "failed", "it was asked about again"
    other = await rerun(world, execution, failed_only=True, parameters={"n": 2})
    assert other["approvals"] == []
    await reach(world, other["execution_id"], "waiting")
    assert (await ask(world, other["execution_id"], "cancel"))[0] == 202


async def test_what_is_too_large_to_keep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request of a re-run must fit into one message; else it says what to do."""
    await store(world, "op_large", noop("a", echo="x" * 2_000), sh("b", "false", "a"))
    before = (await run(world, "op_large"))["execution"]
    monkeypatch.setattr(reruns, "MAX_REQUEST_BYTES", 1_000)
    path = f"{EXECUTIONS}/{before['id']}/rerun"
    refused = problem(await world.client.post(path, json={"failed_only": True}), 409)
    assert "from an earlier step" in refused["detail"]


async def bulk(world: World, action: str, **body: Any) -> dict[str, Any]:
    asked = {"action": action, "reason": "all of them", **body}
    answer = await world.client.post(f"{EXECUTIONS}/bulk", json=asked)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_bulk(world: World) -> None:
    """A dry run shows what would come of each and does nothing; then each is asked for itself."""
    await store(world, "op_bulk", noop("a"), sh("b", "false", "a"), noop("c", "b"))
    labels = {"wave": "1"}
    started = [
        (await run(world, "op_bulk", wait=0, labels=labels, pause_before=["b"]))["execution_id"]
        for _ in range(3)
    ]
    for execution in started:
        await reach(world, execution, "paused")
    failed = (await run(world, "op_bulk", labels=labels))["execution"]["id"]
    fit = {"template": "op_bulk", "label": "wave=1"}
    dry = await bulk(world, "resume", filter=fit)
    assert (dry["dry_run"], dry["counts"]) == (True, {"not_applicable": 1, "would_apply": 3})
    [refused] = [item for item in dry["items"] if item["result"] == "not_applicable"]
    assert (refused["execution_id"], refused["status"]) == (failed, "failed")
    assert "it has ended" in refused["detail"]
    for execution in started:
        await reach(world, execution, "paused")

    limited = await bulk(world, "resume", filter=fit, limit=2)
    assert (len(limited["items"]), limited["more"]) == (2, True)
    marked = await bulk(
        world, "mark", filter=fit, step="b", verdict="completed", output={}, dry_run=False
    )
    assert marked["counts"] == {"not_applicable": 1, "accepted": 3}
    assert (await audited(world, "bulk_mark", started[0]))["reason"] == "all of them"
    for execution in started:
        await reach_step(world, execution, "b", "completed")
    assert (await bulk(world, "resume", filter=fit, dry_run=False))["counts"]["accepted"] == 3
    for execution in started:
        await reach(world, execution, "completed")

    again = await bulk(world, "rerun", filter=fit, rerun={"failed_only": True}, dry_run=False)
    assert again["counts"] == {"accepted": 1, "not_applicable": 3}
    [one] = [item for item in again["items"] if item["result"] == "accepted"]
    assert one["execution_id"] == failed
    view = await reach(world, one["new_execution_id"], "failed")
    assert (view["rerun"]["execution_id"], view["rerun"]["reason"]) == (failed, "all of them")
    assert the_step(view, "a")["kept_from"] == failed


async def test_bulk_of_what_waits(world: World) -> None:
    """Run now without a step means each that waits; cancel and pause work the same way; lost steps
    that there are none of are said."""
    await store(world, "op_waits", sh("r", "false", retry=RETRY), sh("s", "false", retry=RETRY))
    execution = (await run(world, "op_waits", wait=0))["execution_id"]
    for name in ("r", "s"):
        await reach_step(world, execution, name, "retrying")
    fit = {"template": "op_waits", "status": ["running", "paused", "waiting"]}
    assert (await bulk(world, "pause", filter=fit, dry_run=False))["counts"] == {"accepted": 1}
    await reach(world, execution, "paused")
    resolved = await bulk(world, "resolve", filter=fit, verdict="rerun", dry_run=False)
    assert resolved["counts"] == {"not_applicable": 1}
    assert (await bulk(world, "run_now", filter=fit, dry_run=False))["counts"] == {"accepted": 1}
    assert (await bulk(world, "resume", filter=fit, dry_run=False))["counts"] == {"accepted": 1}
    view = await reach(world, execution, "failed")
    assert {step["attempt"] for step in view["steps"]} == {2}
    other = (await run(world, "op_waits", wait=0))["execution_id"]
    await reach_step(world, other, "r", "retrying")
    nothing = await bulk(world, "run_now", filter=fit, step="nowhere", dry_run=False)
    assert nothing["counts"] == {"not_applicable": 1}
    cancelled = await bulk(world, "cancel", filter=fit, force=True, dry_run=False)
    assert cancelled["counts"] == {"accepted": 1}
    await reach(world, other, "cancelled")


@pytest.mark.parametrize(
    "body",
    [
        {"action": "cancel", "filter": {}},
        {"action": "cancel", "filter": {"label": "team"}},
        {"action": "mark", "filter": {"template": "x"}, "verdict": "completed", "reason": "y"},
        {"action": "mark", "filter": {"template": "x"}, "step": "a", "verdict": "rerun"},
        {"action": "mark", "filter": {"template": "x"}, "step": "a", "verdict": "failed"},
        {"action": "resolve", "filter": {"template": "x"}},
        {"action": "pause", "filter": {"template": "x"}, "force": True},
        {"action": "cancel", "filter": {"template": "x"}, "limit": 501},
    ],
)
async def test_bulk_requests_that_make_no_sense(world: World, body: dict[str, Any]) -> None:
    """Nothing is guessed: 422, with the field."""
    assert problem(await world.client.post(f"{EXECUTIONS}/bulk", json=body), 422)["errors"]


async def test_roles(world: World) -> None:
    """Who may not run may not do any of this."""
    requests = {
        "bulk": {"action": "cancel", "filter": {"template": "x"}},
        "ex_x/breakpoints": {"set_before": ["a"]},
        "ex_x/steps/a/mark": {"verdict": "failed", "reason": "x"},
        "ex_x/steps/a/run-now": {},
        "ex_x/rerun": {},
    }
    for role in ("viewer", "agent"):
        async with await world.as_role(role) as client:
            for path, body in requests.items():
                problem(await client.post(f"{EXECUTIONS}/{path}", json=body), 403)
