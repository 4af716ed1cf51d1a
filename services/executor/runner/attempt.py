"""Running one leg of an attempt: from task to outcome."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.executor.commands.base import CommandContext, Failed, Outcome
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.perform import perform
from services.executor.policy import Policy
from services.executor.runner.identity import Held
from services.executor.runner.progress import Progress
from services.executor.runner.redaction import Redaction
from shared.ports.clock import Clock
from shared.ports.hive import HivePort
from shared.runtime.sealing import Sealer, SealError

WORK: Final = "work"
"""Name of the directory, in the agent's own, with one directory for each attempt."""

GRACE_S: Final = 20.0
"""How long a command may take to end after its deadline before the runner gives it up."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every attempt on this agent works with."""

    agent: str
    host: str
    clock: Clock
    commands: CommandCatalog
    policy: Policy
    sealer: Sealer
    data_dir: Path
    output_limit_bytes: int
    hive: HivePort | None


def remove_leftovers(data_dir: Path) -> int:
    """Remove the working directories that a killed process of this agent left; gives how many.

    To be called before the first attempt: there is only one process for each data directory. What
    still runs in one of them keeps the files it has open, and nothing else.
    """
    folder = data_dir / WORK
    left = list(folder.iterdir()) if folder.is_dir() else []
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


async def run_attempt(
    workbench: Workbench, held: Held, progress: Progress, redaction: Redaction
) -> Outcome:
    """Run it; every way in which it can go wrong is an outcome."""
    task = held.task
    workdir = Workdir(workbench.data_dir / WORK / held.name)
    context = _context(workbench, held, progress, workdir)
    try:
        parameters = redaction.open(task.parameters)
        async with asyncio.timeout(task.timeout_s + GRACE_S):
            return await perform(workbench.commands, task.command, parameters, context, task.token)
    except SealError as error:
        return Failed("sealed", str(error))
    except TimeoutError:
        return Failed("command_hung", f"{task.command} did not end after its deadline")
    finally:
        await workdir.remove()


def _context(
    workbench: Workbench, held: Held, progress: Progress, workdir: Workdir
) -> CommandContext:
    return CommandContext(
        execution_id=held.task.execution_id,
        step_id=held.task.step,
        attempt=held.task.attempt,
        leg=held.task.leg,
        agent=workbench.agent,
        policy=workbench.policy,
        make_workdir=workdir.make,
        emit=progress.emit,
        cancelled=held.cancelled,
        output_limit_bytes=workbench.output_limit_bytes,
        deadline_s=held.task.timeout_s,
        hive=workbench.hive,
    )


class Workdir:
    """An attempt's private directory, made only if it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made = False

    def make(self) -> Path:
        """Make it, mode 0700; what an earlier process left there is removed."""
        shutil.rmtree(self._path, ignore_errors=True)
        self._path.mkdir(mode=0o700, parents=True)
        self._made = True
        return self._path

    async def remove(self) -> None:
        """Remove it with everything in it."""
        if self._made:
            await asyncio.to_thread(shutil.rmtree, self._path, ignore_errors=True)
