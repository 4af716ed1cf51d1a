"""Start the stack in the background and stop it from outside; what `hv up --detach` and `hv down`
do.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ops.nats.config import Durability
from ops.stack import state
from ops.stack.errors import NotReadyError, StackError
from ops.stack.layout import REPO_ROOT, Layout
from ops.stack.processes import rotate, start_time
from ops.stack.spec import AgentSpec

UP_TIMEOUT_S = 180.0
DOWN_TIMEOUT_S = 60.0
_POLL_S = 0.05
_DATED = re.compile(r"\d{4}-\d\d-\d\dT")


def start_detached(
    layout: Layout,
    durability: Durability,
    executors: int = 1,
    agents: Sequence[AgentSpec] = (),
) -> state.StackRecord:
    """Start a supervisor in a session of its own and wait until the stack is ready.

    Raises `NotReadyError` with what the supervisor said when it could not start.
    """
    layout.create()
    log = layout.log("supervisor")
    rotate(log)
    start = log.stat().st_size if log.exists() else 0
    argv = [
        sys.executable,
        "-P",
        "-m",
        "ops.stack",
        "--durability",
        durability,
        "--executors",
        str(executors),
        *(part for agent in agents for part in ("--agent", str(agent))),
    ]
    path = os.pathsep.join(filter(None, [str(REPO_ROOT), os.environ.get("PYTHONPATH")]))
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            env={
                **os.environ,
                "HIVE_HOME": str(layout.root),
                "PYTHONPATH": path,
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return wait_ready(layout, still_starting=lambda: process.poll() is None)
    except NotReadyError:
        raise NotReadyError(_last_words(log, start)) from None


def wait_ready(layout: Layout, still_starting: Callable[[], bool]) -> state.StackRecord:
    """Wait until the stack of this home is ready. Raises `NotReadyError` when it ends or takes too
    long.
    """
    deadline = time.monotonic() + UP_TIMEOUT_S
    while still_starting() and time.monotonic() < deadline:
        record = state.running(layout)
        if record and record.phase == "ready":
            return record
        time.sleep(_POLL_S)
    raise NotReadyError(f"The stack did not become ready; see {layout.log('supervisor')}.")


def stop(layout: Layout) -> bool:
    """Stop the running stack and wait until every process of it is gone; False when none runs.

    A supervisor that does not stop in time is killed, and its children with it. Raises `StackError`
    if something survives.
    """
    record = state.running(layout)
    if record is None:
        layout.record.unlink(missing_ok=True)
        return False
    _signal(record.pid, signal.SIGTERM)
    if not _wait_gone([record.pid], DOWN_TIMEOUT_S):
        _signal(record.pid, signal.SIGKILL)
    pids = [record.pid, *(service.pid for service in record.services if service.pid)]
    if not _wait_gone(pids, DOWN_TIMEOUT_S):
        left = ", ".join(str(pid) for pid in pids if start_time(pid))
        raise StackError(f"These processes did not end: {left}. End them by hand.")
    layout.record.unlink(missing_ok=True)
    return True


def _last_words(log: Path, start: int) -> str:
    """Return why a supervisor gave up: what stands in its log after its last dated line."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    dated = [number for number, line in enumerate(lines) if _DATED.match(line)]
    words = lines[dated[-1] + 1 :] if dated else lines
    return "\n".join(words) or f"The supervisor ended without a word; see {log}."


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_gone(pids: list[int], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while any(start_time(pid) is not None for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
