"""Running one leg of an attempt: from task to outcome."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from services.executor.captures.taking import Asked, Taken, Taker
from services.executor.commands.base import (
    Cancelled,
    CommandContext,
    Failed,
    Outcome,
    StopProof,
)
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.perform import perform
from services.executor.commands.running_records import RunningRecords
from services.executor.policy import Policy
from services.executor.runner.identity import Held
from services.executor.runner.progress import Progress
from services.executor.runner.redaction import Redaction
from services.executor.secrets.opening import opened_parameters, secret_places
from services.executor.secrets.vault import Vault
from shared.contracts.tasks import Task
from shared.ports.clock import Clock
from shared.ports.hive import HivePort
from shared.runtime.sealing import Sealer, SealError

WORK: Final = "work"
"""Name of the directory, in the agent's own, with one directory for each attempt."""

GRACE_S: Final = 20.0
"""How long a command may take to end after its deadline before the runner gives it up."""
PLACES_NAMED: Final = 5
"""Most places of secrets that a refusal names."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every attempt on this agent works with."""

    agent: str
    host: str
    clock: Clock
    commands: CommandCatalog
    policy: Policy
    sealer: Sealer
    vault: Vault
    data_dir: Path
    output_limit_bytes: int
    hive: HivePort | None
    running: RunningRecords
    taker: Taker


async def run_attempt(
    workbench: Workbench, held: Held, progress: Progress, redaction: Redaction
) -> Outcome:
    """Run it; every way in which it can go wrong is an outcome."""
    task = held.task
    workdir = Workdir(workbench.data_dir, held.name)
    context = _context(workbench, held, progress, workdir)
    try:
        refused = _secrets_refused(workbench, task)
        if refused is not None:
            return refused
        parameters = await opened_parameters(workbench.vault, task, redaction)
        if isinstance(parameters, Failed):
            return parameters
        taken = await _kept_before(workbench, held, parameters, context, redaction)
        if isinstance(taken, Failed | Cancelled):
            return taken
        held.captured = taken
        kept = _kept_from_starting(held)
        if kept is not None:
            return kept
        async with asyncio.timeout(task.timeout_s + GRACE_S):
            return await perform(workbench.commands, task.command, parameters, context, task.token)
    except SealError as error:
        return Failed("sealed", str(error))
    except TimeoutError:
        message = f"{task.command} did not end after its deadline"
        unknown = StopProof(False, f"{message}; what it had started was not examined")
        return Failed("command_hung", message, proof=unknown)
    finally:
        await workdir.remove()


async def _kept_before(
    workbench: Workbench,
    held: Held,
    parameters: dict[str, Any],
    context: CommandContext,
    redaction: Redaction,
) -> Taken:
    """Keep what the step is about to change, where its task says so."""
    task, order = held.task, held.task.capture
    if order is None or task.leg > 0 or held.cancelled.is_set():
        return None
    if not order.command:
        taken = await workbench.taker.take(task, parameters, context, None)
    else:
        changes = {"command": order.command, "parameters": order.parameters, "late": order.late}
        capture = task.model_copy(update=changes)
        refused = _secrets_refused(workbench, capture)
        opened = refused or await opened_parameters(workbench.vault, capture, redaction)
        if isinstance(opened, Failed):
            return opened
        workdir = Workdir(workbench.data_dir, f"{held.name}.capture")
        own = replace(context, make_workdir=workdir.make, deadline_s=order.timeout_s)
        asked = Asked(order.command, opened, own, redaction.sealed)
        try:
            taken = await workbench.taker.take(task, parameters, context, asked)
        finally:
            await workdir.remove()
    if held.grant is not None and not held.grant.is_good and held.renew is not None:
        await held.renew()
    return taken


def _kept_from_starting(held: Held) -> Outcome | None:
    """The last look before the command begins: whether its time has passed."""
    if held.cancelled.is_set():
        return Cancelled(StopProof(True, "it was told to stop before it began: nothing was run"))
    if held.grant is not None and not held.grant.is_good:
        message = "the agent stood still between its claim and the start: nothing was run"
        return Failed("start_too_late", message, retryable=True)
    return None


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
        running=workbench.running,
        fence=held.grant.fence if held.grant is not None else 0,
        hurried=held.task.hurried,
        kept=workbench.taker.kept,
    )


def _secrets_refused(workbench: Workbench, task: Task) -> Failed | None:
    """Why a command must not get what is secret: it would store it, or tell it to others."""
    spec = workbench.commands.registry.get(task.command)
    places = list(secret_places(task))
    if spec is None or spec.takes_secrets or not places:
        return None
    listed = ", ".join(places[:PLACES_NAMED])
    message = (
        f"{listed}: a secret or a sealed value (a sensitive output) cannot be given to "
        f"{task.command}, which would pass it on in clear; leave it out here, and give it to the "
        "steps that use it"
    )
    return Failed("secret_refused", message)


class Workdir:
    """An attempt's private directory, made only if it is asked for."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._data_dir = data_dir
        self._name = name
        self._made: Path | None = None

    def make(self) -> Path:
        """Make it, mode 0700; what an earlier process left there is removed."""
        path = self._data_dir / WORK / self._name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700, parents=True)
        self._made = path
        return path

    async def remove(self) -> None:
        """Remove it with everything in it."""
        if self._made is not None:
            await asyncio.to_thread(shutil.rmtree, self._made, ignore_errors=True)
