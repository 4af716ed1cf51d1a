"""Real files, an agent's commands, and a store of captures in memory."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.executor.captures.found import Limits
from services.executor.captures.taking import Asked, Taken
from services.executor.commands.base import CommandContext, Completed, Failed, Outcome
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.perform import perform
from services.executor.policy import Policy
from shared.contracts.captures import Manifest
from shared.contracts.tasks import Task
from shared.memory.captures import MemoryCaptures
from shared.runtime.clock import SystemClock
from shared.workflow.capturing import CaptureOrder
from tests.takers import LIMITS, taker

Picture = dict[bytes, tuple[Any, ...]]
"""What is under a directory: kind, mode, owner, content or target, by path."""


@dataclass
class CapturesWorld:
    """One agent whose root is a directory, and what its steps keep. `stopped` is set to stop what
    runs."""

    home: Path
    limits: Limits = LIMITS
    store: MemoryCaptures = field(default_factory=MemoryCaptures)
    agent: str = "a1"
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    capture_timeout_s: float = 5.0
    patience_s: float = 0.1

    def __post_init__(self) -> None:
        self.root = self.home / "root"
        self.root.mkdir(exist_ok=True)
        self.catalog = CommandCatalog.installed()
        self.taker = taker(
            self.catalog,
            SystemClock(),
            self.store,
            limits=self.limits,
            patience_s=self.patience_s,
        )

    def context(self, attempt: int = 1) -> CommandContext:
        """The context of an attempt at the step `s` of `ex_1`."""
        workdir = self.home / "work"
        workdir.mkdir(exist_ok=True)
        return CommandContext(
            execution_id="ex_1",
            step_id="s",
            attempt=attempt,
            leg=0,
            agent=self.agent,
            policy=Policy(roots=(self.root,)),
            make_workdir=lambda: workdir,
            emit=lambda _stream, _line: None,
            cancelled=self.stopped,
            kept=self.taker.kept,
        )

    async def take(
        self,
        command: str,
        parameters: dict[str, Any],
        *,
        attempt: int = 1,
        capture: tuple[str, dict[str, Any]] | None = None,
        sealed: Callable[[dict[str, Any]], dict[str, Any]] = lambda output: output,
    ) -> Taken:
        """Keep what a step is about to change; `capture` is the author's."""
        order = CaptureOrder()
        asked = None
        context = self.context(attempt)
        if capture is not None:
            limit_s = self.capture_timeout_s
            order = CaptureOrder(command=capture[0], parameters=capture[1], timeout_s=limit_s)
            own = replace(context, deadline_s=limit_s)
            asked = Asked(capture[0], capture[1], own, sealed)
        task = Task(
            execution_id="ex_1",
            template_id="t",
            step="s",
            attempt=attempt,
            leg=0,
            command=command,
            parameters=parameters,
            timeout_s=20,
            capture=order,
        )
        return await self.taker.take(task, parameters, context, asked)

    async def keep(self, *paths: Path) -> Taken:
        """Keep these with `keep-files`, as the capture of a step that could do anything."""
        capture = ("keep-files", {"paths": [str(path) for path in paths]})
        return await self.take("shell", {"script": "true"}, capture=capture)

    async def run(self, command: str, **parameters: Any) -> Outcome:
        """Run a command."""
        return await perform(self.catalog, command, parameters, self.context())

    async def restore(self, **parameters: Any) -> dict[str, Any]:
        """Put everything back; the output."""
        outcome = await self.run("restore", execution_id="ex_1", step="s", **parameters)
        assert isinstance(outcome, Completed), outcome
        return outcome.output

    async def refused(self, **parameters: Any) -> Failed:
        """Try to put everything back; why it failed."""
        outcome = await self.run("restore", execution_id="ex_1", step="s", **parameters)
        assert isinstance(outcome, Failed), outcome
        return outcome

    async def manifest(self) -> Manifest:
        """What was kept."""
        found = await self.store.get("ex_1", "s", self.agent)
        assert found is not None
        return found

    def picture(self) -> Picture:
        """All that is in the root."""
        return dict(_pictures(os.fsencode(self.root)))


def _pictures(directory: bytes) -> list[tuple[bytes, tuple[Any, ...]]]:
    found: list[tuple[bytes, tuple[Any, ...]]] = []
    for entry in os.scandir(directory):
        status = entry.stat(follow_symlinks=False)
        who = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        if entry.is_symlink():
            found.append((entry.path, ("symlink", status.st_uid, os.readlink(entry.path))))  # noqa: PTH115 - bytes
        elif entry.is_dir(follow_symlinks=False):
            found += [(entry.path, ("directory", *who)), *_pictures(entry.path)]
        else:
            found.append((entry.path, ("file", *who, Path(os.fsdecode(entry.path)).read_bytes())))
    return found
