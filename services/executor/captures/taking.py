"""Keeping what a step is about to change, right before it begins.

The law:

* It happens after the claim was granted and before the command is called. Whatever goes wrong fails
  the attempt, and nothing has been changed: `capture_failed` (may be tried again),
  `capture_too_large` (more than the agent's limits: it will not get smaller by trying).
* What the command keeps by itself follows from its parameters (`Capturing`). So does what the
  command of the author's `capture` keeps; that is run, and what it returns is kept as well.
* The manifest that was stated first counts; an attempt that finds one goes on at once.
* A step whose command can tell what it changes states a manifest, even where there is nothing to
  keep: as long as there is none, no attempt on that agent has begun. A step without effects asks
  nothing and states nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from services.executor.captures.found import Finder, Found, Limits, TooLargeError
from services.executor.captures.kept import Kept
from services.executor.commands.base import (
    Cancelled,
    Capturing,
    Changes,
    CommandContext,
    Completed,
    Deferred,
    Failed,
    JsonObject,
    TimedOut,
)
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.containment import FileError
from services.executor.commands.perform import admitted, perform
from shared.commands.spec import Effects
from shared.contracts.captures import Item, Manifest, OutputItem
from shared.contracts.tasks import Task
from shared.ports.captures import CaptureError
from shared.ports.clock import Clock
from shared.ports.collective import CollectiveError
from shared.runtime.meters import CaptureMeter, timed
from shared.workflow.captured import Captured

CAPTURE_S: Final = 600.0
"""Most seconds that keeping files may take."""
AT_ONCE: Final = 4
"""Captures of files that one agent takes at the same time: contents are in memory meanwhile."""
TOO_LARGE: Final = "capture_too_large"

_HOPELESS: Final = frozenset(
    {"unknown_command", "refused_by_policy", "invalid_parameters", "not_a_file", "cannot_be_kept"}
)
"""Failures of an author's capture that trying again does not mend."""

Changing = Callable[[], Awaitable[Changes]]
"""Tells what a run is about to change."""
Taken = Captured | Failed | Cancelled | None
"""What came of keeping: something, a reason not to begin, or nothing that was to be kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The author's capture: its parameters in clear, where it runs, and what hides in its output
    what is secret."""

    command: str
    parameters: dict[str, Any]
    context: CommandContext
    sealed: Callable[[JsonObject], JsonObject]


class Taker:
    """Keeps what the steps of one agent are about to change."""

    def __init__(
        self,
        *,
        kept: Kept,
        commands: CommandCatalog,
        limits: Limits,
        clock: Clock,
        host: str,
        meter: CaptureMeter,
    ) -> None:
        self.kept = kept
        self._commands = commands
        self._limits = limits
        self._clock = clock
        self._host = host
        self._meter = meter
        self._room = asyncio.Semaphore(AT_ONCE)

    async def take(
        self, task: Task, parameters: dict[str, Any], context: CommandContext, asked: Asked | None
    ) -> Taken:
        """Keep it. `parameters` are the step's own, in clear."""
        changing = self._changing(task.command, parameters, context)
        if isinstance(changing, Failed) or (changing is None and asked is None):
            return changing
        limit_s = CAPTURE_S + (asked.context.deadline_s or 0 if asked is not None else 0)
        with timed(self._meter.duration):
            try:
                async with asyncio.timeout(limit_s):
                    taken = await self._take(task, changing, context, asked)
            except TooLargeError as error:
                taken = _too_large(error)
            except FileError as error:
                taken = error.failed  # the command would say the same
            except (CaptureError, CollectiveError) as error:
                taken = Failed("capture_failed", str(error), retryable=True)
            except TimeoutError:
                message = f"what the step changes could not be kept within {limit_s:g} s"
                taken = Failed("capture_failed", message, retryable=True)
        if isinstance(taken, Failed):
            self._meter.count("too_large" if taken.code == TOO_LARGE else "failed")
        return taken

    def _changing(
        self, command: str, parameters: dict[str, Any], context: CommandContext
    ) -> Changing | Failed | None:
        """What tells what a run changes; nothing where it changes nothing, or cannot tell."""
        spec = self._commands.registry.get(command)
        if spec is None or not spec.captures or spec.effects_of(parameters) is Effects.NONE:
            return None
        return _changing(self._commands, command, parameters, context)

    async def _take(
        self, task: Task, changing: Changing | None, context: CommandContext, asked: Asked | None
    ) -> Taken:
        again = task.attempt > 1 or task.offer > 0
        earlier = await self._earlier(context) if again else None
        if earlier is not None:
            return self._found(earlier)
        changes = [await changing()] if changing is not None else []
        at_ms = self._clock.now_ms()
        items: list[Item] = []
        if asked is not None:
            more = _changing(self._commands, asked.command, asked.parameters, asked.context)
            if isinstance(more, Failed):
                return _capture_failed(asked.command, more)
            changes += [await more()] if more is not None else []
        if any(one.paths for one in changes):
            async with self._room:
                found = await asyncio.to_thread(self._find, changes, context)
                items += await self.kept.keep(found, at_ms)
        items += [bundle for one in changes for bundle in one.bundles]
        if asked is not None:
            output = await self._ask(asked)
            if not isinstance(output, OutputItem):
                return output
            items.append(output)
        return await self._state(_manifest(task, context, self._host, items, at_ms))

    async def _earlier(self, context: CommandContext) -> Manifest | None:
        return await self.kept.find(context.execution_id, context.step_id, context.agent)

    async def _ask(self, asked: Asked) -> OutputItem | Failed | Cancelled:
        """Run the author's capture."""
        outcome = await perform(self._commands, asked.command, asked.parameters, asked.context)
        if isinstance(outcome, Cancelled):
            return outcome
        if not isinstance(outcome, Completed):
            return _capture_failed(asked.command, outcome)
        return OutputItem(command=asked.command, output=asked.sealed(outcome.output))

    def _find(self, changes: Sequence[Changes], context: CommandContext) -> list[Found]:
        """Blocks. A path that is named twice is kept once."""
        finder = Finder(context.policy, Path("/"), self._limits)
        paths = [path for one in changes for path in one.paths]
        found = {one.item.path: one for path in paths for one in finder.find(path)}
        return list(found.values())

    async def _state(self, manifest: Manifest) -> Captured:
        held = await self.kept.state(manifest)
        if held != manifest:
            return self._found(held)
        self._meter.count("kept")
        self._meter.bytes.inc(held.captured.bytes)
        return held.captured

    def _found(self, manifest: Manifest) -> Captured:
        self._meter.count("found")
        return manifest.captured


def _changing(
    commands: CommandCatalog, name: str, parameters: dict[str, Any], context: CommandContext
) -> Changing | Failed | None:
    ready = admitted(commands, name, parameters, context)
    if isinstance(ready, Failed):
        return ready
    command, params = ready
    if not isinstance(command, Capturing):
        return None
    return partial(command.changes, params, context)


def _manifest(
    task: Task, context: CommandContext, host: str, items: Sequence[Item], at_ms: int
) -> Manifest:
    return Manifest(
        execution_id=task.execution_id,
        step=task.step,
        agent=context.agent,
        host=host,
        template_id=task.template_id,
        command=task.command,
        attempt=task.attempt,
        at_ms=at_ms,
        items=tuple(items),
    )


def _capture_failed(command: str, outcome: Failed | TimedOut | Deferred) -> Failed:
    retryable = True
    if isinstance(outcome, Failed):
        reason = f"{outcome.code}: {outcome.message}"
        retryable = outcome.retryable or outcome.code not in _HOPELESS
    elif isinstance(outcome, TimedOut):
        reason = "it did not end in time"
    else:
        reason, retryable = "it waits for something, which a capture cannot", False
    message = f"the capture before the step, {command}, failed: {reason}; nothing was changed"
    return Failed("capture_failed", message[:2_000], retryable)


def _too_large(error: TooLargeError) -> Failed:
    message = (
        f"what the step changes is too large to be kept: {error}; nothing was changed. Say in the "
        "step why it is `irreversible`, or raise HIVE_CAPTURE_FILE_BYTES and HIVE_CAPTURE_BYTES"
    )
    return Failed(TOO_LARGE, message)
