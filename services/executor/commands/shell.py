"""`shell`: runs a program or a script on this host."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from services.executor.commands.base import (
    CommandContext,
    Completed,
    Failed,
    JsonObject,
    Outcome,
    StopProof,
)
from services.executor.commands.interruption import interrupted
from services.executor.commands.process_tree import TERM_GRACE_S
from services.executor.commands.processes import ProcessRequest, ProcessResult, run_process
from services.executor.commands.refusal import refused
from services.executor.policy import Decision, Policy, Refused
from shared.commands.shell import SPEC, ShellOutput, ShellParameters
from shared.commands.spec import CommandSpec

RESERVED_BYTES = 4096
"""Part of the output limit that is kept for everything but text."""

SHOWN_LIMIT = 200
"""Longest part of a name that a message repeats, in characters."""

FENCE_VARIABLE = "HIVE_FENCING_TOKEN"
"""Environment variable with the attempt's fencing token, for what can refuse an older one."""

_START_FAILURES: dict[int, tuple[str, str, bool]] = {
    errno.ENOENT: (
        "executable_not_found",
        "the program or the interpreter it names is missing",
        False,
    ),
    errno.EACCES: ("permission_denied", "the agent's user may not execute it", False),
    errno.EPERM: ("permission_denied", "the agent's user may not execute it", False),
    errno.ENOEXEC: (
        "not_executable",
        "it is not a program: is its first line '#!…' missing?",
        False,
    ),
    errno.ENAMETOOLONG: ("invalid_path", "a name in its path is too long for this host", False),
    errno.E2BIG: ("arguments_too_long", "arguments and environment are too long together", False),
    errno.EAGAIN: ("too_many_processes", "the host's limit of processes is reached", True),
    errno.ENOMEM: ("out_of_memory", "the host has no memory for another process", True),
    errno.EMFILE: ("too_many_files", "the agent has too many open files", True),
    errno.ENFILE: ("too_many_files", "the host has too many open files", True),
    errno.ENOSPC: ("disk_full", "the disk with the agent's working directory is full", True),
    errno.EDQUOT: ("disk_full", "the disk quota of the agent's user is used up", True),
}
"""What keeps a program from starting: code, reason, whether trying again may help."""


class ShellCommand:
    """Runs programs. `environment` is what `env_allow` selects from; None is the agent's own."""

    spec: CommandSpec = SPEC
    parameters: type[BaseModel] = ShellParameters

    def __init__(
        self, environment: Mapping[str, str] | None = None, term_grace_s: float = TERM_GRACE_S
    ) -> None:
        self._environment = environment
        self._term_grace_s = term_grace_s

    async def run(self, params: ShellParameters, context: CommandContext) -> Outcome:
        """Check the policy and the host, run the program, judge how it ended."""
        env = self._env(params, context)
        cwd = context.workdir / (params.cwd or "")
        argv = params.argv if params.argv is not None else params.interpreter
        try:
            ready = _prepare(argv[0], params, cwd, env, context)
            if isinstance(ready, Failed):
                return ready
            # The path that the policy was asked about, not a name to be searched again.
            command = (str(ready), *argv[1:])
            with _script_file(params.script, context.workdir) as script:
                request = ProcessRequest(
                    argv=(*command, *script),
                    cwd=cwd,
                    env=env,
                    stdin=params.stdin.encode(),
                    keep_bytes=_keep_bytes(params, context),
                    stop_background=params.background == "stop",
                    term_grace_s=self._term_grace_s,
                )
                result = await run_process(request, context)
        except OSError as error:
            return _not_started(argv[0], error)
        return _judge(params, result)

    def _env(self, params: ShellParameters, context: CommandContext) -> dict[str, str]:
        source = os.environ if self._environment is None else self._environment
        passed = {name: source[name] for name in params.env_allow if name in source}
        fence = {FENCE_VARIABLE: str(context.fence)} if context.fence else {}
        return passed | params.env | fence


def _prepare(
    program: str,
    params: ShellParameters,
    cwd: Path,
    env: Mapping[str, str],
    context: CommandContext,
) -> Path | Failed:
    """The executable's path, or why the program cannot or must not be run."""
    for decision in _asked(params, context.policy):
        if isinstance(decision, Refused):
            return refused(decision)
    if not cwd.is_dir():
        return Failed("cwd_missing", f"the working directory '{_short(cwd)}' does not exist")
    if not os.access(cwd, os.X_OK):
        return Failed("permission_denied", f"the agent's user may not enter '{_short(cwd)}'")
    path = find_program(program, cwd, env)
    if path is None:
        where = "is not a file" if "/" in program else "is in no directory of PATH"
        message = f"the program '{_short(program)}' {where} on this host"
        return Failed("executable_not_found", message)
    decision = context.policy.executable(path)
    return refused(decision) if isinstance(decision, Refused) else path


def _asked(params: ShellParameters, policy: Policy) -> Iterator[Decision]:
    """What the policy says of everything but the program."""
    if params.script is not None:
        yield policy.script()
    yield from (policy.variable(name) for name in params.env)


def find_program(program: str, cwd: Path, env: Mapping[str, str]) -> Path | None:
    """Absolute path of the program: by PATH if it is a bare name, else relative to `cwd`."""
    if "/" in program:
        path = cwd / program
        return Path(os.path.abspath(path)) if path.is_file() else None  # noqa: PTH100 - keep links
    found = shutil.which(program, path=env.get("PATH", os.defpath))
    return cwd / found if found else None


@contextlib.contextmanager
def _script_file(script: str | None, workdir: Path) -> Iterator[tuple[str, ...]]:
    """The script as a private file in the attempt's directory, as an argument; nothing without one.

    A file, because standard input then stays free for the script's own input (a command in it that
    reads would swallow the rest of the script), and because `-c` shows the text in the list of
    processes and is limited to 128 KiB. Raises OSError, for example if the disk is full; then no
    file is left.
    """
    if script is None:
        yield ()
        return
    with tempfile.NamedTemporaryFile("w", dir=workdir, prefix="script-", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        yield (file.name,)


def _keep_bytes(params: ShellParameters, context: CommandContext) -> int:
    # With parse_json standard output appears twice, and its JSON may be printed a little longer.
    shares = 4 if params.parse_json else 2
    return max(0, context.output_limit_bytes - RESERVED_BYTES) // shares


def _not_started(program: str, error: OSError) -> Failed:
    unknown = ("not_started", error.strerror or type(error).__name__, False)
    code, reason, retryable = _START_FAILURES.get(error.errno or 0, unknown)
    return Failed(code, f"'{_short(program)}' could not be started: {reason}", retryable)


def _short(name: str | Path) -> str:
    """For people: a name may have more characters than anybody reads."""
    text = str(name)
    return text if len(text) <= SHOWN_LIMIT else f"{text[:SHOWN_LIMIT]}…"


def _judge(params: ShellParameters, result: ProcessResult) -> Outcome:
    output = _output(result)
    if result.interruption:
        proof = result.proof or StopProof(False, "the program was not examined")
        return interrupted(result.interruption, replace(proof, exit=_exit(result)), output)
    if result.proof and not result.proof.gone:
        message = f"background processes could not be stopped: {result.proof.reason}"
        return Failed("background_left", message, output=output, proof=result.proof)
    if result.exit_code is None:
        return Failed("killed_by_signal", f"ended by {result.signal}", True, output)
    if result.exit_code not in params.expect_exit:
        expected = ", ".join(map(str, params.expect_exit))
        message = f"exit code {result.exit_code}, expected {expected}"
        return Failed("unexpected_exit", message, True, output)
    return _with_json(params, result, output)


def _exit(result: ProcessResult) -> str:
    if result.exit_code is not None:
        return f"exit code {result.exit_code}"
    return result.signal or "it has not ended"


def _with_json(params: ShellParameters, result: ProcessResult, output: JsonObject) -> Outcome:
    if not params.parse_json:
        return Completed(output)
    if result.stdout.truncated:
        message = f"standard output has {result.stdout.total_bytes} bytes: too long to be parsed"
        return Failed("output_too_large", message, output=output)
    try:
        parsed = json.loads(result.stdout.text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Failed("not_json", f"standard output is not JSON: {error}", output=output)
    return Completed(output | {"json": parsed})


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _output(result: ProcessResult) -> JsonObject:
    return ShellOutput(
        exit_code=result.exit_code,
        signal=result.signal,
        stdout=result.stdout.text,
        stderr=result.stderr.text,
        stdout_bytes=result.stdout.total_bytes,
        stderr_bytes=result.stderr.total_bytes,
        stdout_truncated=result.stdout.truncated,
        stderr_truncated=result.stderr.truncated,
        stdout_binary=result.stdout.binary,
        stderr_binary=result.stderr.binary,
        duration_s=result.duration_s,
        pid=result.pid,
        left_running=list(result.left_running),
        json=None,
    ).model_dump(mode="json", by_alias=True)
