"""What is wrong is said clearly, ends or is put aside, and stops nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts import subjects
from shared.workflow.messages import PauseRequested, ResumeRequested
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ONE = {"host": "one"}
POLICY = """
commands: {deny: [http]}
executables: {deny: [id]}
shell: {allow_scripts: false}
"""


async def _both(world: World) -> None:
    if "one" not in world.executors:
        await world.executor("one", agent_labels="zone=a")


async def _strict(world: World) -> None:
    """An agent beside the first, with a policy that forbids much."""
    if "strict" not in world.executors:
        policy = world.home / "policy.yaml"
        policy.write_text(POLICY, encoding="utf-8")
        await world.executor("strict", role="runner", agent_labels="zone=b", agent_policy=policy)


async def _quarantined(world: World, execution: str) -> list[dict[str, Any]]:
    found = world.mongo.database["quarantine"].find({"execution_id": execution})
    return [document async for document in found]


def _neighbour(world: World, execution: str) -> str:
    """Another id of the same partition."""
    partition = subjects.partition_of(execution)
    while subjects.partition_of(found := world.ids.execution_id()) != partition:
        pass
    return found


async def test_poison_is_put_aside_with_its_reason(world: World) -> None:
    """Garbage, an unknown type and an unknown template go to the quarantine; executions of the same
    partition go on, also the one that was poisoned."""
    await _both(world)
    template = await world.template(
        "slow", [shell("a", "sleep 1", target=ONE), noop("b", depends_on=["a"])]
    )
    execution = await world.request(template)
    await world.step_when(execution, "a", "running")
    await world.publish_raw(execution, b"\x00\xffnot json")
    await world.publish_raw(execution, b'{"type": "attempt_sabotaged", "step": "a"}')
    orphan = await world.request("not_stored", _neighbour(world, execution))
    after = await world.request(template, _neighbour(world, execution))
    assert (await world.ended(execution)).status == "completed"
    assert (await world.ended(after)).status == "completed"
    garbage, unknown = sorted(await _quarantined(world, execution), key=lambda d: d["seq"])
    assert "JSON" in garbage["reason"]
    assert garbage["payload"] == "\x00\ufffdnot json"
    assert "attempt_sabotaged" in unknown["reason"]
    (nothing,) = await _quarantined(world, orphan)
    assert nothing["reason"] == "template not_stored@1.0.0 is not stored"
    assert await world.queries.get(orphan) is None


async def test_messages_about_nothing_are_ignored(world: World) -> None:
    """Requests about an execution or a step that does not exist change nothing."""
    await _both(world)
    unknown = world.ids.execution_id()
    await world.cancel(unknown)
    execution = await world.start("plain", [noop("a")])
    await world.publish_raw(
        execution, b'{"type": "attempt_finished", "step": "zz", "attempt": 1, "outcome": "failed"}'
    )
    assert (await world.ended(execution)).status == "completed"
    assert await world.queries.get(unknown) is None
    assert await _quarantined(world, execution) == []


async def test_the_same_request_twice_is_one_execution(world: World) -> None:
    """A request appended again, at once or after the end, under another message id, starts nothing
    again."""
    await _both(world)
    book = world.home / "book"
    template = await world.template("book", [shell("a", f"echo line >> {book}", target=ONE)])
    execution = await world.request(template, message_id="first")
    await world.request(template, execution, message_id="second")
    state = await world.ended(execution)
    await world.request(template, execution, message_id="third")
    after = await world.request(template, _neighbour(world, execution))
    await world.ended(after)
    assert await world.queries.get(execution) == state
    assert book.read_text(encoding="utf-8").count("line") == 2  # one each


async def test_a_request_counts_once_by_its_message_id(world: World) -> None:
    """A pause sent again with its message id after the resumption does not pause again."""
    await _both(world)
    execution = await world.start(
        "pausing", [shell("a", "sleep 1", target=ONE), noop("b", depends_on=["a"])]
    )
    await world.step_when(execution, "a", "running")
    await world.journal.append(execution, PauseRequested(), "pause.1")
    await world.state_when(execution, lambda state: state.status == "paused")
    await world.journal.append(execution, ResumeRequested(), "resume.1")
    assert not await world.journal.append(execution, PauseRequested(), "pause.1")
    assert (await world.ended(execution)).status == "completed"


async def test_no_agent_of_that_name(world: World) -> None:
    """A step for a host that does not exist is blocked with the reason, and fails in the end."""
    await _both(world)
    step = noop("a", target={"host": "nowhere"}, start_timeout_s=3)
    execution = await world.start("nowhere", [step])
    blocked = await world.step_when(execution, "a", "blocked")
    live = ", ".join(sorted(world.executors))
    assert blocked.reason == f"no live agent has host 'nowhere' (live agents: {live})"
    state = await world.ended(execution)
    assert state.status == "failed"
    failure = state.steps["a"].failure
    assert failure is not None
    assert failure.code == "no_agent"
    assert failure.message == blocked.reason


async def test_labels_choose_the_agent(world: World) -> None:
    """A step that requires a label runs on the agent that has it, also when that agent joins only
    after the step was blocked."""
    await _both(world)
    here = noop("here", target={"labels": {"zone": "a"}})
    there = noop("there", target={"labels": {"zone": "c"}}, start_timeout_s=40)
    execution = await world.start("labels", [here, there])
    await world.step_when(execution, "there", "blocked")
    await world.executor("late", role="runner", agent_labels="zone=c")
    state = await world.ended(execution)
    assert state.status == "completed"
    assert state.steps["here"].agent == "one"
    assert state.steps["there"].agent == "late"


async def test_an_agent_refuses_by_a_rule_that_it_names(world: World) -> None:
    """What the agent's policy forbids fails at once, with the rule and what would permit it."""
    await _both(world)
    await _strict(world)
    target = {"host": "strict"}
    retry = {"max_attempts": 5}
    command = {"id": "a", "target": target, "retry": retry, "continue_on_failure": True}
    steps = [
        {**command, "command": "shell", "parameters": {"argv": ["id"]}},
        {**command, "id": "b", "command": "shell", "parameters": {"script": "true"}},
        {
            **command,
            "id": "c",
            "command": "file",
            "parameters": {"operation": "read", "path": "/etc/passwd"},
        },
    ]
    state = await world.run("refused", steps)
    rules = {"a": "executables.deny[0]: 'id'", "b": "shell.allow_scripts: false", "c": "roots: "}
    for name, rule in rules.items():
        step = state.steps[name]
        assert step.failure is not None
        assert step.failure.code == "refused_by_policy"
        assert rule in step.failure.message
        assert len(step.attempts) == 1, "retrying cannot help"
    assert state.status == "completed_with_errors"


async def test_a_forbidden_command_finds_no_agent_of_its_capability(world: World) -> None:
    """An agent whose policy forbids a command does not offer its capability."""
    await _both(world)
    await _strict(world)
    steps = [
        {
            "id": "a",
            "command": "http",
            "target": {"host": "strict"},
            "start_timeout_s": 1,
            "parameters": {"url": "http://127.0.0.1:1/"},
        }
    ]
    state = await world.run("forbidden", steps)
    failure = state.steps["a"].failure
    assert failure is not None
    assert failure.code == "no_agent"
    assert "host 'strict' and capabilities http" in failure.message


async def test_parameters_that_become_wrong_at_run_time(world: World) -> None:
    """A value of the wrong type, made by an expression, is refused before anything runs, and the
    failure names the parameter."""
    await _both(world)
    steps = [
        noop("a", 7),
        {
            "id": "b",
            "command": "shell",
            "depends_on": ["a"],
            "parameters": {"argv": ["echo", "${{ steps.a.output.echo }}"]},
        },
    ]
    state = await world.run("wrong_type", steps)
    failure = state.steps["b"].failure
    assert state.status == "failed"
    assert failure is not None
    assert failure.code == "invalid_parameters"
    assert "argv" in failure.message


async def test_an_expression_that_fails_at_run_time(world: World) -> None:
    """A missing output fails the step that needs it, with the expression's own words."""
    await _both(world)
    steps = [noop("a", {"x": 1}), noop("b", "${{ steps.a.output.echo.y }}", depends_on=["a"])]
    state = await world.run("missing", steps)
    failure = state.steps["b"].failure
    assert failure is not None
    assert failure.code == "expression_error"
    assert "y" in failure.message
    assert state.steps["b"].attempts == ()
