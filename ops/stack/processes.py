"""Child processes that never outlive their parent, log to a file and stop in time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

LOG_LIMIT_BYTES = 32 * 1024 * 1024
"""A log larger than this at the start of its service is moved to `<name>.log.1`, replacing an older
one.
"""

STOP_GRACE_S = 15.0

_TETHER = Path(__file__).with_name("tether.py")

# The kernel ties a child's life to the thread that forked it: this one lives as long as Python.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class Child:
    """One running child process, in a session of its own so that Ctrl-C reaches only its
    supervisor.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start `argv` with exactly the environment `env`, appending its output to `log`."""
        self.argv = tuple(argv)
        self.log = log
        self.started_at = time.monotonic()
        self._process = _spawner.submit(_spawn, self.argv, dict(env), log).result()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while the process runs."""
        return self._process.poll()

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_at

    def terminate(self) -> None:
        """Ask the process to stop (SIGTERM); returns at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the process has ended; False if it still runs after `timeout_s`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return not self.running

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Ask the process to stop, kill it when it has not after `grace_s`, and wait until it is
        gone.
        """
        self.terminate()
        if not self.wait(grace_s):
            self.kill()

    def kill(self) -> None:
        """Kill the process (SIGKILL) and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def describe_end(self) -> str:
        """Say how the process ended, for a person: `exit code 1`, `signal SIGKILL`, `still
        running`.
        """
        code = self.exit_code
        if code is None:
            return "still running"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _spawn(argv: tuple[str, ...], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    rotate(log)
    tethered = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *argv]
    with log.open("ab") as output:
        return subprocess.Popen(
            tethered,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def rotate(log: Path) -> None:
    """Move a log beyond `LOG_LIMIT_BYTES` aside."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def start_time(pid: int) -> float | None:
    """Return when a process started, in seconds since the epoch; None if there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def tail(log: Path, lines: int = 15, limit_bytes: int = 16_384) -> str:
    """Return the last lines of a log, or an empty text when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - limit_bytes))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])
