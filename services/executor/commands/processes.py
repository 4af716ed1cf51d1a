"""Running one child process: bounded output, live lines, and an end that leaves nothing behind.

Output is kept in bounded memory only, never spooled to disk, so a full disk cannot break it.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from services.executor.commands.base import CommandContext, StopProof
from services.executor.commands.capture import BoundedCapture, Captured, LineStream
from services.executor.commands.interruption import Interruption, race
from services.executor.commands.process_tree import MARK_VARIABLE, TERM_GRACE_S, ProcessTree

DRAIN_S = 2.0
"""Seconds to wait for the end of output after the main process ended: others may hold it open."""


@dataclass(frozen=True)
class ProcessRequest:
    """What to run. `argv[0]` is the path of the executable; each output keeps `keep_bytes`."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes = b""
    keep_bytes: int = 64 * 1024
    stop_background: bool = True
    term_grace_s: float = TERM_GRACE_S


@dataclass(frozen=True)
class ProcessResult:
    """How it ended. `exit_code` is None if a signal ended it, both are None if it could not be
    stopped.

    `proof` is there if something had to be stopped: the program itself (`interruption` says why)
    or what it left in the background. `left_running` are background processes that were meant to
    stay.
    """

    pid: int
    exit_code: int | None
    signal: str | None
    stdout: Captured
    stderr: Captured
    duration_s: float
    interruption: Interruption | None
    proof: StopProof | None
    left_running: tuple[int, ...]


async def run_process(request: ProcessRequest, context: CommandContext) -> ProcessResult:
    """Run to the end, the deadline or cancellation. Raises OSError if it cannot be started."""
    started = time.monotonic()
    mark = secrets.token_hex(16)
    _note(context, mark)
    try:
        transport, pipes = await _start(request, context, mark)
    except OSError:
        _forget(context, mark)
        raise
    tree = ProcessTree(transport.get_pid(), mark, context.workdir.resolve())
    try:
        _write_stdin(transport, request.stdin)
        why = await race(pipes.exited.wait(), context)
        interruption = why if isinstance(why, Interruption) else None
        proof, left_running = await _settle(request, tree, interruption)
        if proof is None or proof.gone:
            _forget(context, mark)  # else the agent's next process looks for what is left
        await pipes.drain()
    finally:
        _abandon(transport)
    return _result(transport, pipes, time.monotonic() - started, interruption, proof, left_running)


def _note(context: CommandContext, mark: str) -> None:
    if context.running is not None:
        attempt = f"{context.execution_id}.{context.step_id}.{context.attempt}.{context.leg}"
        context.running.note(mark, attempt)


def _forget(context: CommandContext, mark: str) -> None:
    if context.running is not None:
        context.running.forget(mark)


class _Pipes(asyncio.SubprocessProtocol):
    """Receives output as it comes and notes the end of the process and of each pipe.

    The protocol interface, because Process.wait() waits for the pipes in some versions of Python,
    and a background process can hold those open for ever.
    """

    def __init__(self, keep_bytes: int, context: CommandContext) -> None:
        self.exited = asyncio.Event()
        self.captures = {1: BoundedCapture(keep_bytes), 2: BoundedCapture(keep_bytes)}
        self._lines = {
            1: LineStream(lambda line: context.emit("stdout", line)),
            2: LineStream(lambda line: context.emit("stderr", line)),
        }
        self._closed = {1: asyncio.Event(), 2: asyncio.Event()}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.captures[fd].feed(data)
        self._lines[fd].feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        # Losing standard input (0) only means that the program did not read all of it.
        if fd in self._closed:
            self._lines[fd].finish()
            self._closed[fd].set()

    def process_exited(self) -> None:
        self.exited.set()

    async def drain(self) -> None:
        """Wait for the exit status and the end of both outputs, at most DRAIN_S seconds."""
        ends = [self.exited.wait(), *(event.wait() for event in self._closed.values())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*ends), DRAIN_S)


async def _start(
    request: ProcessRequest, context: CommandContext, mark: str
) -> tuple[asyncio.SubprocessTransport, _Pipes]:
    return await asyncio.get_running_loop().subprocess_exec(
        lambda: _Pipes(request.keep_bytes, context),
        *request.argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(request.cwd),
        env={**request.env, MARK_VARIABLE: mark},
        start_new_session=True,
    )


async def _settle(
    request: ProcessRequest, tree: ProcessTree, interruption: Interruption | None
) -> tuple[StopProof | None, tuple[int, ...]]:
    """Stop what has to be stopped: everything after an interruption, else what stayed in the
    session.

    A background process that left the session on purpose (a daemon) is let be after a normal end.
    """
    background = () if interruption else tuple(tree.session_members())
    if interruption or (background and request.stop_background):
        return await asyncio.to_thread(tree.stop, request.term_grace_s), ()
    return None, background


def _write_stdin(transport: asyncio.SubprocessTransport, data: bytes) -> None:
    stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
    # A program that has already ended has closed its input: its exit code tells how that went.
    if stdin.is_closing():  # uvloop raises RuntimeError then
        return
    with contextlib.suppress(OSError):
        if data:
            stdin.write(data)
        stdin.write_eof()


def _abandon(transport: asyncio.SubprocessTransport) -> None:
    """Close the pipes; if the program still runs (the task was cancelled), kill its group now."""
    if transport.get_returncode() is None:
        with contextlib.suppress(OSError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    transport.close()


def _result(
    transport: asyncio.SubprocessTransport,
    pipes: _Pipes,
    duration_s: float,
    interruption: Interruption | None,
    proof: StopProof | None,
    left_running: tuple[int, ...],
) -> ProcessResult:
    code = transport.get_returncode()
    ended_by_signal = code is not None and code < 0
    return ProcessResult(
        pid=transport.get_pid(),
        exit_code=None if ended_by_signal else code,
        signal=_signal_name(-code) if code is not None and ended_by_signal else None,
        stdout=pipes.captures[1].result(),
        stderr=pipes.captures[2].result(),
        duration_s=round(duration_s, 6),
        interruption=interruption,
        proof=proof,
        left_running=left_running,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
