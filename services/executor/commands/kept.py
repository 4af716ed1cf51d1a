"""`keep-files` and `restore`: what is there is kept, and what was there is put back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from services.executor.captures.found import Finder, Limits, TooLargeError
from services.executor.captures.restoring import Restoring
from services.executor.commands.base import (
    ChangedPath,
    Changes,
    CommandContext,
    Completed,
    Failed,
    KeptStates,
    Outcome,
)
from services.executor.commands.containment import FileError
from shared.commands.kept import (
    KEEP_FILES,
    RESTORE,
    KeepFilesOutput,
    KeepFilesParameters,
    KeptPath,
    RestoreParameters,
)
from shared.commands.spec import CommandSpec
from shared.contracts.captures import Manifest
from shared.ports.captures import CaptureError

LOOK_LIMITS: Final = Limits(file_bytes=1024**3, capture_bytes=1024**3)
"""What is only looked at may be larger than what is kept."""


class KeepFilesCommand:
    """Looks at paths; keeping them is the work of whoever runs it as a capture."""

    spec: CommandSpec = KEEP_FILES
    parameters: type[BaseModel] = KeepFilesParameters

    async def changes(self, params: KeepFilesParameters, _context: CommandContext) -> Changes:
        """All paths, with what is in them."""
        return Changes(paths=_paths(params))

    async def run(self, params: KeepFilesParameters, context: CommandContext) -> Outcome:
        """Say what is there."""
        finder = Finder(context.policy, Path("/"), LOOK_LIMITS, keep_data=False)

        def look() -> list[KeptPath]:
            found = {
                one.item.path: one.item for path in _paths(params) for one in finder.find(path)
            }
            return [
                KeptPath(
                    path=item.path.text,
                    was=item.was,
                    mode=item.mode,
                    bytes=item.bytes,
                    sha256=item.sha256,
                )
                for item in found.values()
            ]

        try:
            files = await asyncio.to_thread(look)
        except FileError as error:
            return error.failed
        except TooLargeError as error:
            return Failed("too_large", str(error))
        output = KeepFilesOutput(files=files, bytes=sum(file.bytes for file in files))
        return Completed(output.model_dump(mode="json"))


class RestoreCommand:
    """Puts back what was kept on this agent."""

    spec: CommandSpec = RESTORE
    parameters: type[BaseModel] = RestoreParameters

    async def run(self, params: RestoreParameters, context: CommandContext) -> Outcome:
        """Find what was kept, then compare or put back."""
        if context.kept is None:
            return Failed("captures_unavailable", "this agent keeps nothing before steps")
        try:
            manifest = await context.kept.find(params.execution_id, params.step, context.agent)
            if manifest is None:
                return _nothing_kept(params, context)
            return await self._restore(params, context, context.kept, manifest)
        except CaptureError as error:
            return Failed("captures_unavailable", str(error), retryable=True)

    async def _restore(
        self,
        params: RestoreParameters,
        context: CommandContext,
        kept: KeptStates,
        manifest: Manifest,
    ) -> Outcome:
        return await Restoring(params, context, kept, manifest).run()


def _nothing_kept(params: RestoreParameters, context: CommandContext) -> Failed:
    message = (
        f"nothing was kept on the agent '{context.agent}' before step '{params.step}' of "
        f"{params.execution_id}, or not any more"
    )
    return Failed("not_captured", message)


def _paths(params: KeepFilesParameters) -> tuple[ChangedPath, ...]:
    return tuple(ChangedPath(path, follow=False, tree=True) for path in params.paths)
