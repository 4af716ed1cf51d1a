"""Run a command that dies with its parent: `python tether.py PARENT_PID COMMAND [ARGUMENT …]`.

A supervisor killed with SIGKILL can clean nothing up, so each child must notice by itself. On Linux
the kernel does it: PR_SET_PDEATHSIG survives exec, so this process turns into the command, with the
same process id. Elsewhere it stays as a thin parent that watches its own parent, passes signals on
and kills the command when it is orphaned.

PR_SET_PDEATHSIG fires when the *thread* that forked ends; `ops.stack.processes` therefore starts
every child from one thread that lives as long as the process. Run as a file, not as a module, so
that it imports nothing but this.
"""

import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_WATCH_INTERVAL_S = 0.5


def main() -> int:
    """Tether the command to its parent; returns only where the command could not be turned into."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if not sys.platform.startswith("linux"):
        return _watch(parent, command)
    _ask_kernel_to_kill_with_parent()
    if os.getppid() == parent:  # else it died before the kernel was asked
        os.execvp(command[0], command)  # noqa: S606 - argv, never a shell
    return 1


def _ask_kernel_to_kill_with_parent() -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"tether: prctl failed: {os.strerror(ctypes.get_errno())}")


def _watch(parent: int, command: list[str]) -> int:
    import subprocess  # here, because it would double the start time where it is not needed

    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: child.send_signal(received))
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(_WATCH_INTERVAL_S)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
