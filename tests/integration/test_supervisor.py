"""The supervisor with real servers and real child processes, and the ways in which it can end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.stack import control, credentials, ports, state
from ops.stack.errors import NotReadyError
from ops.stack.layout import REPO_ROOT, Layout
from ops.stack.processes import start_time
from ops.stack.servers import embedded_servers
from ops.stack.spec import ServiceSpec
from ops.stack.supervisor import Supervisor

TINY_STACK = Path(__file__).with_name("tiny_stack.py")
WAIT_S = 30.0


@dataclass
class Stack:
    """One home, its port, and the supervisors that a test started on it."""

    layout: Layout
    port: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    extra_env: dict[str, str] = field(default_factory=dict)

    def spawn(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(TINY_STACK), str(self.layout.root), str(self.port)],
            env={**environment(), **self.extra_env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def up(self) -> state.StackRecord:
        process = self.spawn()
        return control.wait_ready(self.layout, lambda: process.poll() is None)

    def ask(self) -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2) as response:
            return str(response.read().decode()).split()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(Layout(tmp_path / "hive"), ports.pick())
    yield stack
    for process in stack.started:
        process.kill()
        process.communicate()


def environment() -> dict[str, str]:
    """Return this process's environment without settings of the system: the stack starts its own
    servers.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIVE_")}
    return {**own, "PYTHONPATH": str(REPO_ROOT), "PYTHONUNBUFFERED": "1"}


def pids(record: state.StackRecord) -> dict[str, int]:
    return {service.name: service.pid for service in record.services if service.pid}


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def all_gone(numbers: list[int]) -> bool:
    return all(start_time(pid) is None for pid in numbers)


def test_up_and_down(stack: Stack) -> None:
    """Everything runs and is recorded after `up`; after `down` every process and the record are
    gone.
    """
    record = stack.up()
    assert set(pids(record)) == {"nats", "mongo", "door", "sleeper"}
    assert record.durability == "relaxed"
    assert stack.layout.record.stat().st_mode & 0o077 == 0
    pid, nats_url = stack.ask()
    assert int(pid) == pids(record)["door"]
    assert nats_url.startswith("nats://gateway:")

    assert control.stop(stack.layout)
    assert all_gone([record.pid, *pids(record).values()])
    assert not stack.layout.record.exists()
    assert not control.stop(stack.layout)


@pytest.mark.kill
def test_killed_supervisor_leaves_no_orphan(stack: Stack) -> None:
    """After kill -9 of the supervisor every child ends, the record counts as stale, and `up` works
    again.
    """
    record = stack.up()
    os.kill(record.pid, signal.SIGKILL)
    stack.started[0].wait()
    assert wait_until(lambda: all_gone(list(pids(record).values())))
    assert stack.layout.record.exists()
    assert state.running(stack.layout) is None
    assert stack.up().pid != record.pid


@pytest.mark.kill
@pytest.mark.parametrize("name", ["door", "nats", "mongo"])
def test_killed_child_is_restarted(stack: Stack, name: str) -> None:
    """A service or server that dies is started again on the same port, and the record says so."""
    before = stack.up()
    os.kill(pids(before)[name], signal.SIGKILL)

    def is_back() -> bool:
        now = state.running(stack.layout)
        return now is not None and pids(now).get(name, before.pid) not in {
            before.pid,
            pids(before)[name],
        }

    assert wait_until(is_back)
    after = state.running(stack.layout)
    assert after
    assert {one.name: one.restarts for one in after.services}[name] == 1
    assert after.urls == before.urls
    if name == "door":
        assert wait_until(lambda: ports.answers(stack.port))
        assert int(stack.ask()[0]) == pids(after)["door"]


def test_taken_port_is_named_with_the_remedy(stack: Stack) -> None:
    """A port that another program holds is named, with its holder and what to do; nothing is left
    running.
    """
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", stack.port))
        holder.listen()
        process = stack.spawn()
        _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert f"Port {stack.port}, which door needs" in said
    assert f"process {os.getpid()}" in said
    assert "HIVE_DOOR_PORT" in said
    assert not stack.layout.record.exists()


def test_a_mongod_that_cannot_run_is_said(stack: Stack, tmp_path: Path) -> None:
    """Where mongod does not run, the start fails with its own reason and both remedies."""
    mongod = tmp_path / "bin" / "mongod"
    mongod.parent.mkdir()
    mongod.write_text("#!/bin/sh\necho 'libcrypto.so.3: no such file' >&2\nexit 127\n")
    mongod.chmod(0o755)
    stack.extra_env = {"PATH": f"{mongod.parent}{os.pathsep}{os.environ['PATH']}"}
    process = stack.spawn()
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert f"{mongod} does not run here (libcrypto.so.3: no such file)" in said
    assert "install MongoDB 6 or newer" in said
    assert "HIVE_MONGO_URL" in said
    assert "Traceback" not in said
    assert not stack.layout.record.exists()
    assert not ports.answers(credentials.load(stack.layout.credentials).ports["nats"])


def test_two_homes_run_at_once(tmp_path: Path) -> None:
    """Two stacks on one machine, one in a folder with a blank in its name, share nothing."""
    stacks = [Stack(Layout(tmp_path / name), ports.pick()) for name in ("one", "the other")]
    try:
        records = [stack.up() for stack in stacks]
        assert {int(stack.ask()[0]) for stack in stacks} == {pids(one)["door"] for one in records}
        assert not set(pids(records[0]).values()) & set(pids(records[1]).values())
        assert records[0].urls["mongo"] != records[1].urls["mongo"]
        assert control.stop(stacks[0].layout)
        assert stacks[1].ask()
        assert control.stop(stacks[1].layout)
    finally:
        for process in (process for stack in stacks for process in stack.started):
            process.kill()
            process.communicate()


def test_second_supervisor_is_refused(stack: Stack) -> None:
    """A second supervisor on the same home says that one runs, and does not disturb it."""
    record = stack.up()
    second = stack.spawn()
    _, said = second.communicate(timeout=WAIT_S)
    assert second.returncode == 1
    assert "already runs" in said
    assert state.running(stack.layout) == record
    assert stack.ask()


def test_second_up_says_that_it_runs(stack: Stack) -> None:
    """`hv up` on a home with a running stack prints its URLs and exits 0; `hv status` agrees."""
    record = stack.up()
    for command, expected in (("up", "already runs"), ("status", "The stack is ready")):
        done = run_cli(command, stack.layout)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
        assert "nats://gateway@127.0.0.1" in done.stdout
        assert record.urls["nats"] not in done.stdout
    up, status = (
        json.loads(run_cli(one, stack.layout, "--json").stdout) for one in ("up", "status")
    )
    assert up == status
    assert up["running"] is True


def test_status_and_down_without_a_stack(stack: Stack) -> None:
    """Without a stack `hv status` exits 1 and `hv down` exits 0, both saying that none runs."""
    for command, code in (("status", 1), ("down", 0)):
        done = run_cli(command, stack.layout)
        assert done.returncode == code
        assert "No stack runs" in done.stdout
    assert json.loads(run_cli("down", stack.layout, "--json").stdout) == {"stopped": False}


@pytest.mark.parametrize("phase", ["starting", "stopping"])
def test_up_says_that_it_is_under_way(stack: Stack, phase: state.Phase) -> None:
    """`hv up` beside a start or a stop of another one tells which it is, and starts nothing."""
    stack.layout.create()
    started = start_time(os.getpid())
    assert started is not None
    state.StackRecord(os.getpid(), started, "safe", phase).save(stack.layout)
    done = run_cli("up", stack.layout)
    assert done.returncode == 0
    assert f"The stack is {phase} already." in done.stdout


def test_failing_service_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that ends before it is healthy fails the start with the end of its log."""
    monkeypatch.delenv("HIVE_NATS_URL", raising=False)
    monkeypatch.delenv("HIVE_MONGO_URL", raising=False)
    broken = ServiceSpec("broken", (sys.executable, "-c", "raise SystemExit('no such setting')"))
    supervisor = Supervisor(Layout(tmp_path), "relaxed", [broken], report=lambda _: None)
    with pytest.raises(NotReadyError, match=r"(?s)broken did not become healthy.*no such setting"):
        supervisor.run()
    assert all_gone([service.pid for service in supervisor.record.services if service.pid])


def run_cli(command: str, layout: Layout, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", command, *options],
        env={**environment(), "HIVE_HOME": str(layout.root)},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def test_named_servers_are_used_instead_of_own_ones(stack: Stack, tmp_path: Path) -> None:
    """With HIVE_NATS_URL and HIVE_MONGO_URL set, `up` starts no servers and hands these URLs on."""
    with embedded_servers(tmp_path / "others", durability="relaxed") as servers:
        url = servers.nats_url("gateway")
        stack.extra_env = {"HIVE_NATS_URL": url, "HIVE_MONGO_URL": servers.mongo_url}
        record = stack.up()
        assert set(pids(record)) == {"door", "sleeper"}
        assert stack.ask()[1] == url
        assert control.stop(stack.layout)
        assert servers.nats.running
