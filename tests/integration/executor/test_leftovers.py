"""Programs that outlive an agent killed with -9: its next process stops them, and nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from services.executor.commands.process_tree import MARK_VARIABLE
from shared.workflow.definition import OnLost
from tests.integration.executor.world import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TREE = """
note() { echo $$ > "$PIDS/$1.tmp"; mv "$PIDS/$1.tmp" "$PIDS/$1"; }
export -f note
setsid bash -c 'note daemon; exec sleep 300' &
(trap '' TERM; bash -c 'note stubborn; while :; do sleep 0.2; done') &
env -i PIDS="$PIDS" bash -c 'cd "$PIDS"; echo $$ > bare.tmp; mv bare.tmp bare; sleep 300' &
note leader
wait
"""
NAMES = {"daemon", "stubborn", "bare", "leader"}


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _started(world: World, pids: Path, names: set[str]) -> dict[str, int]:
    """The pids that a script has noted, once all have."""

    async def all_there() -> bool:
        return all((pids / name).exists() for name in names)

    await world.until(all_there, f"{names} in {pids}")
    return {name: int((pids / name).read_text()) for name in names}


def _folder(world: World, name: str) -> Path:
    folder = world.home / name
    folder.mkdir()
    return folder


def _tree(host: str, pids: Path) -> dict[str, object]:
    step = shell("a", "", target={"host": host}, on_lost=OnLost.FAIL)
    parameters = {"script": TREE, "interpreter": ["bash"], "env": {"PIDS": str(pids)}}
    return {**step, "parameters": parameters}


async def test_the_next_process_of_an_agent_stops_what_was_left(world: World) -> None:
    """Of an agent killed with -9 every process of its program runs on: one that ignores SIGTERM,
    one that left the session, one without its environment. When the agent runs again they are gone,
    with proof in the log; programs of another agent and of others on the host are untouched."""
    await world.executor("mind", role="coordinator")
    doomed = await world.executor("doomed", role="runner")
    await world.executor("other", role="runner")
    mine, others = _folder(world, "mine"), _folder(world, "others")
    lost = await world.start("left", [_tree("doomed", mine)])
    kept = await world.start("kept", [_tree("other", others)])
    left, spared = await _started(world, mine, NAMES), await _started(world, others, NAMES)
    bystander = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=-1, env={**os.environ, MARK_VARIABLE: "0" * 32}
    )
    secret_script = list((world.home / "agents" / "doomed" / "work").rglob("script-*"))
    assert secret_script != []

    await doomed.kill()
    assert all(_alive(pid) for pid in left.values()), "they outlive the agent: that is the danger"
    await doomed.start()

    assert [name for name, pid in left.items() if _alive(pid)] == []
    assert [name for name, pid in spared.items() if not _alive(pid)] == []
    assert bystander.returncode is None
    said = doomed.text().split("outlived an earlier process")[1].split("\n")[0]
    assert "gone" in said
    assert "SIGTERM" in said
    assert "SIGKILL" in said
    assert all(str(pid) in said for pid in left.values())
    assert list((world.home / "agents" / "doomed" / "running").iterdir()) == []
    assert not any(script.exists() for script in secret_script)

    state = await world.ended(lost)
    assert state.steps["a"].failure is not None
    assert state.steps["a"].failure.code == "lost"
    await world.cancel(kept)
    await world.ended(kept)
    assert [name for name, pid in spared.items() if _alive(pid)] == []
    bystander.kill()
    await bystander.wait()


async def test_what_was_meant_to_stay_stays(world: World) -> None:
    """A program that a completed step left in the background, and a daemon that left its session,
    run on through kill -9 and a new start of the agent."""
    keeper = await world.executor("keeper", role="runner")
    pids = _folder(world, "stay")
    script = 'sleep 301 & echo $! > "$PIDS/left"; setsid sleep 302 & echo $! > "$PIDS/daemon"'
    step = shell("a", "", target={"host": "keeper"})
    parameters = {"script": script, "background": "leave", "env": {"PIDS": str(pids)}}
    state = await world.run("stays", [{**step, "parameters": parameters}])
    assert state.status == "completed"
    stayed = await _started(world, pids, {"left", "daemon"})
    await keeper.kill()
    await keeper.start()
    assert all(_alive(pid) for pid in stayed.values())
    for pid in stayed.values():
        psutil.Process(pid).kill()


async def test_a_second_process_of_the_same_name_stops_nothing(world: World) -> None:
    """While the process that started a program lives, another one of the same agent leaves it
    alone."""
    first = await world.executor("twin", role="runner")
    pids = _folder(world, "twins")
    execution = await world.start("twins", [_tree("twin", pids)])
    running = await _started(world, pids, NAMES)
    second = await world.executor("twin", role="runner")
    assert second.pid != first.pid
    assert all(_alive(pid) for pid in running.values())
    await second.kill()
    await world.cancel(execution)
    assert (await world.ended(execution)).status == "cancelled"
    assert not any(_alive(pid) for pid in running.values())
    await first.kill()
