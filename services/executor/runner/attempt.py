"""Running one leg of an attempt: from task to outcome."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from services.executor.commands.base import (
    Command,
    CommandContext,
    Failed,
    Outcome,
    Resumable,
)
from services.executor.policy import Policy, Refused
from services.executor.runner.identity import Held
from services.executor.runner.progress import Progress
from shared.ports.clock import Clock
from shared.ports.hive import HivePort
from shared.runtime.sealing import Sealer, SealError

log = structlog.get_logger()

GRACE_S: Final = 20.0
"""How long a command may take to end after its deadline before the runner gives it up."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every attempt on this agent works with."""

    agent: str
    host: str
    clock: Clock
    commands: Mapping[str, Command]
    policy: Policy
    sealer: Sealer
    data_dir: Path
    output_limit_bytes: int
    hive: HivePort | None


async def run_attempt(workbench: Workbench, held: Held, progress: Progress) -> Outcome:
    """Run it; every way in which it can go wrong is an outcome."""
    task = held.task
    command = workbench.commands.get(task.command)
    if command is None:
        known = ", ".join(sorted(workbench.commands))
        return Failed("unknown_command", f"{task.command!r} is not one of: {known}")
    decision = workbench.policy.command(task.command)
    if isinstance(decision, Refused):
        return Failed("refused_by_policy", f"{decision.message} ({decision.rule}); {decision.fix}")
    try:
        params = command.parameters.model_validate(workbench.sealer.open(task.parameters))
    except SealError as error:
        return Failed("sealed", str(error))
    except ValidationError as error:
        return Failed("invalid_parameters", _first_problem(error))
    return await _run_in_workdir(workbench, held, progress, command, params)


async def _run_in_workdir(
    workbench: Workbench, held: Held, progress: Progress, command: Command, params: object
) -> Outcome:
    workdir = Workdir(workbench.data_dir / "work" / held.name)
    try:
        context = _context(workbench, held, progress, workdir.make())
        async with asyncio.timeout(held.task.timeout_s + GRACE_S):
            return await _call(command, params, context, held.task.token)
    except TimeoutError:
        return Failed("command_hung", f"{held.task.command} did not end after its deadline")
    except OSError as error:
        return Failed(_errno_code(error), f"{error.strerror or error} ({error.filename or '-'})")
    except Exception as error:
        log.exception("command broke", command=held.task.command, task=held.name)
        return Failed("command_broke", f"{type(error).__name__}: {error}")
    finally:
        await workdir.remove()


def _errno_code(error: OSError) -> str:
    return "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "io_error"


def _context(workbench: Workbench, held: Held, progress: Progress, workdir: Path) -> CommandContext:
    return CommandContext(
        execution_id=held.task.execution_id,
        step_id=held.task.step,
        attempt=held.task.attempt,
        leg=held.task.leg,
        agent=workbench.agent,
        policy=workbench.policy,
        workdir=workdir,
        emit=progress.emit,
        cancelled=held.cancelled,
        output_limit_bytes=workbench.output_limit_bytes,
        deadline_s=held.task.timeout_s,
        hive=workbench.hive,
    )


async def _call(
    command: Command, params: object, context: CommandContext, token: str | None
) -> Outcome:
    if token is None:
        return await command.run(params, context)
    if not isinstance(command, Resumable):
        return Failed("not_resumable", f"{command.spec.name} cannot go on after a wait")
    return await command.resume(params, context, token)


class Workdir:
    """An attempt's private directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> Path:
        """Make it, mode 0700; what an earlier process left there is removed."""
        try:
            self._path.mkdir(mode=0o700)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.mkdir(mode=0o700)
        except FileExistsError:
            shutil.rmtree(self._path)
            self._path.mkdir(mode=0o700)
        return self._path

    async def remove(self) -> None:
        """Remove it with everything in it."""
        try:
            self._path.rmdir()  # mostly it is empty, which is quick
        except OSError:
            await asyncio.to_thread(shutil.rmtree, self._path, ignore_errors=True)


def _first_problem(error: ValidationError) -> str:
    problems = (
        f"{'/'.join(str(part) for part in e['loc']) or 'parameters'}: {e['msg']}"
        for e in error.errors(include_input=False, include_url=False)
    )
    return "; ".join(list(problems)[:5])
