"""Concurrency keys on real servers: the limit holds, also when a coordinator is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.adapters.mongo.actors import MongoKeyStateStore
from shared.workflow.concurrency_key import KeyState, key_id
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def _writes(book: Path, pause_s: float = 0.2) -> str:
    """A script that notes when it begins and when it ends."""
    return f'echo "begin $ME" >> {book}; sleep {pause_s}; echo "end $ME" >> {book}'


def _most_at_once(book: Path) -> int:
    """How many had begun and not ended, at most."""
    under_way = most = 0
    for line in book.read_text(encoding="utf-8").splitlines():
        under_way += 1 if line.startswith("begin") else -1
        most = max(most, under_way)
    return most


async def _key(world: World, key: str) -> KeyState | None:
    stored = await MongoKeyStateStore(world.mongo).peek(key_id(key))
    return stored.state if stored is not None else None


async def _is_idle(world: World, key: str) -> bool:
    state = await _key(world, key)
    return state is not None and state.is_idle


def _step(book: Path, **rest: Any) -> dict[str, Any]:
    parameters = {"env": {"ME": "${{ execution.id }}"}}
    return shell("a", _writes(book), parameters=parameters, **rest)


async def test_the_limit_holds_when_a_coordinator_is_killed(world: World) -> None:
    """Of ten executions in any partition at most two run at a time, each runs once, and afterwards
    the key is free."""
    for name in ("left", "right"):
        await world.executor(name, role="coordinator")
    await world.executor("hands", role="runner", agent_slots=8)
    book = world.home / "limit-book"
    policies = {"concurrency": {"key": "deploy", "limit": 2}}
    template = await world.template("limited", [_step(book), noop("b")], policies=policies)
    executions = [await world.request(template) for _ in range(10)]

    async def begun() -> bool:
        return book.exists()

    await world.until(begun, "the first has begun")
    await world.executors["left"].kill()
    states = await world.all_ended(executions)
    assert {state.status.value for state in states} == {"completed"}
    lines = book.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)) == 20
    assert _most_at_once(book) <= 2
    await world.until(lambda: _is_idle(world, "deploy"), "the key is free")


async def test_steps_of_different_templates_share_a_key(world: World) -> None:
    """A step waits for a step of another template; the rest of its execution goes on."""
    book = world.home / "shared-book"
    rule = {"concurrency": {"key": "database-${{ execution.requested_by }}"}}
    names = [
        await world.template(f"sharing_{number}", [_step(book, **rule), noop("b")])
        for number in range(3)
    ]
    states = await world.all_ended([await world.request(name) for name in names * 2])
    assert {state.status.value for state in states} == {"completed"}
    assert _most_at_once(book) == 1


async def test_a_key_that_was_idle_is_used_again(world: World) -> None:
    """What it says then is not taken for what it said before."""
    policies = {"concurrency": {"key": "now-and-then"}}
    template = await world.template("now_and_then", [noop("a")], policies=policies)
    for _ in range(3):
        (state,) = await world.all_ended([await world.request(template)])
        assert state.status.value == "completed"
        await world.until(lambda: _is_idle(world, "now-and-then"), "the key is free")


async def test_a_newcomer_replaces_who_runs(world: World) -> None:
    """The older one is cancelled, with proof that what it ran is gone, before the newer begins."""
    policies = {"concurrency": {"key": "latest", "on_conflict": "replace"}}
    script = '[ "$LAST" = yes ] || sleep 60; echo done'
    steps = [shell("a", script, parameters={"env": {"LAST": "${{ params.last }}"}})]
    template = await world.template(
        "latest", steps, policies=policies, parameters={"last": {"type": "string"}}
    )
    older = await world.request(template, last="no")
    await world.step_when(older, "a", "running")
    newer = await world.request(template, last="yes")
    state = await world.ended(newer)
    assert state.status == "completed"
    replaced = await world.ended(older)
    assert replaced.status == "cancelled"
    assert replaced.stop is not None
    assert replaced.stop.reason.startswith(f"replaced by {newer}")
    proof = replaced.steps["a"].attempts[0].proof
    assert proof is not None
    assert proof.gone
    assert replaced.ended_at_ms <= state.steps["a"].started_at_ms


async def test_who_does_not_wait_fails_at_once(world: World) -> None:
    """`reject` says that all slots are taken; when one is free it is granted."""
    policies = {"concurrency": {"key": "only", "on_conflict": "reject"}}
    door = world.home / "only-door"
    script = f"until [ -e {door} ]; do sleep 0.05; done"
    template = await world.template("only", [shell("a", script)], policies=policies)
    first = await world.request(template)
    await world.step_when(first, "a", "running")
    refused = await world.ended(await world.request(template))
    assert refused.status == "failed"
    assert refused.failure is not None
    assert refused.failure.code == "concurrency_refused"
    door.touch()
    assert (await world.ended(first)).status == "completed"
    await world.until(lambda: _is_idle(world, "only"), "the key is free")
    assert (await world.ended(await world.request(template))).status == "completed"
