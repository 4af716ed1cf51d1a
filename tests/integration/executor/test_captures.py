"""What is kept before steps by real agents: found when they died, encrypted, put back."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.mongo.archiving import MongoArchiving
from shared.adapters.nats.captures import NatsCaptures
from shared.contracts.captures import Manifest, OutputItem
from shared.ports.captures import DAY_MS
from shared.workflow.captured import Captured
from shared.workflow.identity import time_sorted_id
from shared.workflow.state import ExecutionState
from tests.integration.executor.leaks import leaks
from tests.integration.executor.world import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TOKEN = f"token{secrets.token_hex(12)}"


async def _agent(world: World, name: str = "one", **settings: Any) -> None:
    """An agent whose root is the directory `files`, and a coordinator of its own process."""
    if "mind" not in world.executors:
        (world.home / "files").mkdir()
        policy = world.home / "policy.yaml"
        policy.write_text(f"roots: [{world.home / 'files'}]\n", encoding="utf-8")
        await world.executor("mind", role="coordinator")
    if name not in world.executors:
        own = {"API_TOKEN": TOKEN, "secrets_env": "API_TOKEN", **settings}
        policy = world.home / "policy.yaml"
        await world.executor(name, role="runner", agent_policy=policy, **own)


def _file(world: World, name: str, content: str = "was\n", mode: int = 0o640) -> Path:
    path = world.home / "files" / name
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


def _on(agent: str, step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "target": {"host": agent}}


def _keeps(path: Path, **rest: Any) -> dict[str, Any]:
    return {"capture": {"command": "keep-files", "parameters": {"paths": [str(path)]}, **rest}}


async def _manifest(world: World, execution: str, step: str, agent: str = "one") -> Manifest | None:
    return await NatsCaptures(world.bus).get(execution, step, agent)


async def _restore(world: World, execution: str, step: str, agent: str = "one") -> dict[str, Any]:
    """Put it back, by a workflow of its own."""
    parameters = {"execution_id": execution, "step": step}
    back = {"id": "back", "command": "restore", "parameters": parameters, "timeout_s": 20}
    state = await world.run(f"back_{secrets.token_hex(4)}", [_on(agent, back)])
    assert state.status == "completed", state.steps["back"].failure
    return state.steps["back"].output


def _code(state: ExecutionState, step: str) -> str:
    failure = state.steps[step].failure
    return failure.code if failure is not None else ""


async def test_an_agent_that_is_killed_leaves_it_behind(world: World) -> None:
    """kill -9 between the capture and the end of the step: the outcome is unknown, what was there
    before is found by its key, and put back byte for byte once the agent is there again."""
    await _agent(world)
    path = _file(world, "killed")
    script = f"printf half > {path}; chmod 777 {path}; sleep 60"
    step = _on("one", shell("a", script, on_lost="fail", **_keeps(path)))
    execution = await world.start("killed", [step])
    await world.until(lambda: asyncio.to_thread(_reads, path, "half"), "the step has begun")
    kept = await _manifest(world, execution, "a")
    assert kept is not None
    await world.executors["one"].kill()
    state = await world.ended(execution)
    assert _code(state, "a") == "lost"
    assert state.steps["a"].captured is None
    assert await _manifest(world, execution, "a") == kept
    await world.executors["one"].start()
    output = await _restore(world, execution, "a")
    assert output["files"][0]["differs"] == ["content", "mode"]
    assert (path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777) == ("was\n", 0o640)


def _reads(path: Path, content: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == content


async def test_a_retry_keeps_what_the_first_attempt_found(world: World) -> None:
    """After half a change the next attempt states nothing anew, and its report tells of the first
    one."""
    await _agent(world)
    path = _file(world, "retried")
    script = f"grep -q half {path} && printf done > {path} && exit 0; printf half > {path}; exit 1"
    retry = {"max_attempts": 2, "delay_s": 0.1}
    step = shell("a", script, retry=retry, **_keeps(path))
    state = await world.run("retried", [_on("one", step)])
    assert state.status == "completed"
    ended = state.steps["a"]
    assert ended.attempt == 2
    assert ended.captured == Captured(agent="one", attempt=1, items=2, files=1, bytes=4)
    assert path.read_text(encoding="utf-8") == "done"
    await _restore(world, state.execution_id, "a")
    assert path.read_text(encoding="utf-8") == "was\n"


async def test_what_a_command_changes_is_kept_by_itself(world: World) -> None:
    """`file` steps need no `capture`; each instance of a loop has its own; those that change
    nothing keep nothing."""
    await _agent(world)
    paths = [_file(world, f"loop{n}", f"was {n}") for n in range(3)]
    write = {
        "id": "w",
        "command": "file",
        "parameters": {"operation": "write", "path": "${{ item }}", "content": "new"},
        "foreach": {"items": "params.paths"},
    }
    look = {
        "id": "l",
        "command": "file",
        "parameters": {"operation": "read", "path": str(paths[0])},
        "depends_on": ["w"],
    }
    declared = {"paths": {"type": "array", "default": [str(path) for path in paths]}}
    await world.template("loop", [_on("one", write), _on("one", look)], parameters=declared)
    state = await world.ended(await world.request("loop", paths=[str(path) for path in paths]))
    assert state.status == "completed"
    kept = await NatsCaptures(world.bus).of_execution(state.execution_id)
    assert sorted(one.step for one in kept) == ["w[0]", "w[1]", "w[2]"]
    assert state.steps["w[1]"].captured is not None
    assert state.steps["l"].captured is None
    await _restore(world, state.execution_id, "w[1]")
    assert [p.read_text(encoding="utf-8") for p in paths] == ["new", "was 1", "new"]


@pytest.mark.parametrize("rest", [{"irreversible": "it is scratch"}, {}])
async def test_what_is_too_large_does_not_begin(world: World, rest: dict[str, Any]) -> None:
    """The step fails for good before anything is changed, unless it says why it is
    irreversible."""
    await _agent(world, "small", capture_file_bytes=1_000)
    path = _file(world, "large", "x" * 2_000)
    step = {
        "id": "a",
        "command": "file",
        "parameters": {"operation": "delete", "path": str(path)},
        "retry": {"max_attempts": 3},
        **rest,
    }
    state = await world.run(f"large_{len(rest)}", [_on("small", step)])
    assert path.exists() == (not rest)
    assert _code(state, "a") == ("" if rest else "capture_too_large")
    assert state.steps["a"].attempt == 1
    assert await NatsCaptures(world.bus).of_execution(state.execution_id) == []


async def test_without_rollback_nothing_is_kept(world: World) -> None:
    """A template that cannot be rolled back pays for nothing."""
    await _agent(world)
    path = _file(world, "disabled")
    step = {
        "id": "a",
        "command": "file",
        "parameters": {"operation": "delete", "path": str(path)},
    }
    state = await world.run("disabled", [_on("one", step)], policies={"rollback_enabled": False})
    assert (state.status, path.exists()) == ("completed", False)
    assert await NatsCaptures(world.bus).of_execution(state.execution_id) == []


async def test_a_capture_may_take_longer_than_a_grant(world: World) -> None:
    """The agent asks anew whether it may begin, and the step begins once."""
    await _agent(world)
    book = world.home / "files" / "slow-book"
    capture = {"command": "shell", "parameters": {"script": "sleep 5; echo 7"}, "timeout_s": 20}
    step = shell("a", f"echo x >> {book}", capture=capture)
    state = await world.run("slow", [_on("one", step)])
    assert state.status == "completed"
    assert book.read_text(encoding="utf-8") == "x\n"
    assert state.steps["a"].attempt == 1
    manifest = await _manifest(world, state.execution_id, "a")
    assert manifest is not None
    assert manifest.output is not None
    assert manifest.output["stdout"] == "7\n"


async def test_a_failed_capture_is_tried_again(world: World) -> None:
    """As the step's retries say; the command does not run before something is kept."""
    await _agent(world)
    book = world.home / "files" / "failing-book"
    script = f"[ -e {book}.once ] || {{ touch {book}.once; exit 3; }}; echo kept"
    capture = {"command": "shell", "parameters": {"script": script}}
    retry = {"max_attempts": 2, "delay_s": 0.1}
    step = shell("a", f"echo x >> {book}", capture=capture, retry=retry)
    state = await world.run("failing", [_on("one", step)])
    assert state.status == "completed"
    first, second = state.steps["a"].attempts
    assert first.failure is not None
    assert (first.failure.code, second.outcome) == ("capture_failed", "completed")
    assert "unexpected_exit" in first.failure.message
    assert book.read_text(encoding="utf-8") == "x\n"
    assert state.steps["a"].captured == Captured(agent="one", attempt=2, items=1)


async def test_a_step_that_is_cancelled_while_something_is_kept(world: World) -> None:
    """It never begins, and what ran to keep something is stopped."""
    await _agent(world)
    book = world.home / "files" / "cancelled-book"
    begun = world.home / "files" / "cancelled-begun"
    script = f"touch {begun}; sleep 60"
    capture = {"command": "shell", "parameters": {"script": script}}
    step = shell("a", f"echo x >> {book}", capture=capture)
    execution = await world.start("cancelled", [_on("one", step)])
    await world.until(lambda: asyncio.to_thread(begun.exists), "the capture runs")
    await world.cancel(execution)
    state = await world.ended(execution)
    assert state.status == "cancelled"
    proof = state.steps["a"].attempts[0].proof
    assert proof is not None
    assert proof.gone
    assert not book.exists()


async def test_an_outage_while_something_is_kept(world: World) -> None:
    """nats-server is killed between the claim and the capture: the step waits, asks anew whether it
    may begin, and begins once."""
    await _agent(world)
    book = world.home / "files" / "outage-book"
    begun = world.home / "files" / "outage-begun"
    capture = {"command": "shell", "parameters": {"script": f"touch {begun}; sleep 2"}}
    step = shell("a", f"echo x >> {book}", capture=capture)
    execution = await world.start("outage", [_on("one", step)])
    await world.until(lambda: asyncio.to_thread(begun.exists), "the capture runs")
    await asyncio.to_thread(world.servers.nats.kill)
    await asyncio.sleep(6)
    await asyncio.to_thread(world.servers.nats.restart)
    state = await world.ended(execution)
    assert state.status == "completed", state.steps["a"].failure
    assert book.read_text(encoding="utf-8") == "x\n"
    assert state.steps["a"].attempt == 1
    assert await _manifest(world, execution, "a") is not None


async def test_nothing_is_stored_in_clear(world: World) -> None:
    """Neither the files of NATS and MongoDB nor a log hold a text that was in a kept file, or a
    secret that the author's capture was given or returned."""
    await _agent(world)
    marks = [f"mark{secrets.token_hex(12)}" for _ in range(2)]
    small = _file(world, "small-secret", f"password={marks[0]}\n")
    large = _file(world, "large-secret", (marks[1] + "\n") * 3_000 + secrets.token_hex(30_000))
    capture = {
        "command": "shell",
        "parameters": {
            "script": 'echo "$T"',
            "env": {"T": "${{ secrets.API_TOKEN }}"},
        },
    }
    steps = [
        {"id": "s", "command": "file", "parameters": {"operation": "delete", "path": str(small)}},
        {"id": "l", "command": "file", "parameters": {"operation": "delete", "path": str(large)}},
        shell("t", "true", capture=capture),
    ]
    state = await world.run("secret", [_on("one", step) for step in steps])
    assert state.status == "completed"
    kept = await _manifest(world, state.execution_id, "t")
    assert kept is not None
    [item] = kept.items
    assert isinstance(item, OutputItem)
    assert item.output["stdout"].startswith("sealed:v1:")
    large_kept = await _manifest(world, state.execution_id, "l")
    assert large_kept is not None
    assert len(large_kept.blobs) == 1
    for text in (*marks, TOKEN):
        assert await leaks(world, text) == []
    await _restore(world, state.execution_id, "l")
    assert marks[1] in large.read_text(encoding="utf-8")


async def test_it_goes_with_its_execution(world: World) -> None:
    """Housekeeping removes what was kept for an execution that is deleted for good."""
    await _agent(world)
    path = _file(world, "old")
    step = {
        "id": "a",
        "command": "file",
        "parameters": {"operation": "delete", "path": str(path)},
    }
    template = await world.template("old", [_on("one", step)])
    made_ms = round(time.time() * 1000) - 2 * DAY_MS
    execution = await world.request(template, time_sorted_id("ex", made_ms, secrets.randbits(80)))
    await world.ended(execution)
    assert await _manifest(world, execution, "a") is not None
    archiving = MongoArchiving(world.mongo)
    await archiving.finish(await archiving.copy([execution], made_ms))
    assert await archiving.delete([execution]) == 1
    await world.executor("keeper", role="coordinator", capture_keep_days=1, retention_every_s=0.2)
    await world.executors["mind"].kill()

    async def gone() -> bool:
        return await _manifest(world, execution, "a") is None

    await world.until(gone, "what was kept is removed")
