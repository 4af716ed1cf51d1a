"""Finding everything a child process has started, ending it, and proving that it is gone.

Theory of operation: the child leads a session of its own, and its environment carries a random
mark. A process belongs to the tree if it is in that session or process group, if it descends from
a process that belongs, if its environment has the mark, or if it works in the command's private
directory. Descent alone loses a grandchild whose parent has ended; the session loses one that
called setsid; the mark survives both, as long as the environment is inherited; the directory shows
one that was given another environment. Who gives up all of these on purpose is not found: that a
command cannot do so is for the agent's user and its policy to see to. A zombie has ended: it only
waits for its parent to read its status, and counts as gone.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from services.executor.commands.base import StopProof

MARK_VARIABLE = "HIVE_PROCESS_MARK"
"""Environment variable that marks every process of one command."""

TERM_GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL."""

KILL_WAIT_S = 5.0
"""Seconds to wait for killed processes to disappear before saying that they did not."""

_POLL_S = 0.02

_NOBODY = -1
"""The leader of a tree that has none: the pid of no process."""


class ProcessTree:
    """The processes of one command. `leader` is its pid, group and session; `mark` its mark;
    `private` the directory in which nothing else works.
    """

    def __init__(self, leader: int, mark: str, private: Path | None = None) -> None:
        """To be made as soon as the leader has been started, while its pid is surely its own."""
        self._private = private
        self.leader = leader
        self.mark = mark
        self._seen: dict[int, psutil.Process] = {}
        with contextlib.suppress(psutil.Error, ValueError):
            self._seen[leader] = psutil.Process(leader)

    def session_members(self) -> list[int]:
        """Pids of the session or group that are alive. Cheap: two system calls a process."""
        return [pid for pid in psutil.pids() if self._in_session(pid) and not _is_zombie(pid)]

    def alive(self) -> list[psutil.Process]:
        """All processes of the tree that are alive; takes milliseconds, call it in a thread."""
        everyone = {process.pid: process for process in _processes()}
        found = {pid for pid, process in everyone.items() if self._belongs(process)}
        found |= _descendants(found, everyone)
        for pid in found:
            self._seen.setdefault(pid, everyone[pid])
        return [everyone[pid] for pid in sorted(found) if not _is_zombie(pid)]

    def stop(self, grace_s: float = TERM_GRACE_S, kill_wait_s: float = KILL_WAIT_S) -> StopProof:
        """SIGTERM, grace, SIGKILL, a last look. Blocks up to both times; call it in a thread."""
        sent: list[str] = []
        left = self.alive()
        for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, kill_wait_s)):
            if not left:
                break
            sent.append(number.name)
            left = self._signal_until_gone(number, wait_s)
        return self.proof(sent)

    def _signal_until_gone(self, number: signal.Signals, wait_s: float) -> list[psutil.Process]:
        end = time.monotonic() + wait_s
        left = self.alive()
        _send(left, number, self.leader)
        while left and time.monotonic() < end:
            time.sleep(_POLL_S)
            left = self.alive()
            # After SIGTERM a program may start others to clean up, so that is sent only once.
            if number is signal.SIGKILL:
                _send(left, number, self.leader)
        return left

    def proof(self, sent: Sequence[str] = ()) -> StopProof:
        """Look again: is anything of the tree alive? `sent` are the signals sent so far."""
        left = self.alive()
        pids = tuple(sorted({self.leader, *self._seen}))
        if left:
            return StopProof(False, _still_there(left), pids, tuple(sent))
        where = f"session and group {self.leader}, its descendants, marked processes"
        where += ", or its directory" if self._private else ""
        return StopProof(True, f"none alive in {where}", pids, tuple(sent))

    def _marked(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return bool(process.environ().get(MARK_VARIABLE) == self.mark)
        return False

    def _in_session(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return os.getsid(pid) == self.leader or os.getpgid(pid) == self.leader
        return False

    def _belongs(self, process: psutil.Process) -> bool:
        if self._in_session(process.pid):
            return True
        # Equality of psutil's processes includes the time of their creation, not the pid alone.
        if self._seen.get(process.pid) == process or self._marked(process):
            return True
        return self._works_in_private(process)

    def _works_in_private(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return self._private is not None and Path(process.cwd()).is_relative_to(self._private)
        return False


class LeftTree(ProcessTree):
    """The processes of a command whose leader is not known any more, only its mark.

    A session is the command's own if a marked process is in it, and its leader is marked too, or
    has ended: a process cannot join the session of another. This process and its ancestors are
    never part of it, even if a step has started the agent anew.
    """

    def __init__(self, mark: str) -> None:
        super().__init__(_NOBODY, mark)
        self._sessions: set[int] = set()
        self._spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}

    def alive(self) -> list[psutil.Process]:
        """All processes of the tree that are alive; takes milliseconds, call it in a thread."""
        everyone = {process.pid: process for process in _processes()}
        marked = {pid for pid, process in everyone.items() if self._marked(process)}
        for session in map(_session_of, marked):
            if session and (session in marked or session not in everyone or _is_zombie(session)):
                self._sessions.add(session)
        return [process for process in super().alive() if process.pid not in self._spared]

    def proof(self, sent: Sequence[str] = ()) -> StopProof:
        """Look again: is anything of the tree alive? `sent` are the signals sent so far."""
        left = self.alive()
        pids = tuple(sorted({*self._seen} - self._spared))
        if left:
            return StopProof(False, _still_there(left), pids, tuple(sent))
        return StopProof(
            True, "no marked process, descendant or session is alive", pids, tuple(sent)
        )

    def _in_session(self, pid: int) -> bool:
        return _session_of(pid) in self._sessions

    def _belongs(self, process: psutil.Process) -> bool:
        return process.pid not in self._spared and super()._belongs(process)


def _session_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def _still_there(left: Sequence[psutil.Process]) -> str:
    return f"still there: {', '.join(_describe(process) for process in left)}"


def _processes() -> Iterator[psutil.Process]:
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error):
            yield psutil.Process(pid)


def _descendants(roots: set[int], everyone: dict[int, psutil.Process]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, process in everyone.items():
        with contextlib.suppress(psutil.Error):
            children.setdefault(process.ppid(), []).append(pid)
    found: set[int] = set()
    pending = list(roots)
    while pending:
        fresh = [pid for pid in children.get(pending.pop(), ()) if pid not in found]
        found.update(fresh)
        pending += fresh
    return found


def _send(processes: list[psutil.Process], number: signal.Signals, leader: int) -> None:
    rest = processes
    if any(process.pid == leader for process in processes):
        # The leader has not ended, so the group is still ours: one call reaches all of it at once,
        # and none of it twice (to some programs a second SIGTERM means: now, without cleaning up).
        rest = [process for process in processes if _group_of(process.pid) != leader]
        with contextlib.suppress(OSError):
            os.killpg(leader, number)
    for process in rest:
        # psutil refuses to signal a process that took over the pid of the one that was found.
        with contextlib.suppress(psutil.Error, OSError):
            process.send_signal(number)


def _group_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None


def _is_zombie(pid: int) -> bool:
    try:
        status = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
    return status in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


def _describe(process: psutil.Process) -> str:
    try:
        with process.oneshot():
            return f"{process.pid} ({process.name()}, {process.status()}, {process.username()})"
    except psutil.Error as error:
        return f"{process.pid} ({type(error).__name__})"
