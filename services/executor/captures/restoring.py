"""One run of `restore`: what differs is found, put back, and looked at again."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from services.executor.captures.comparing import Comparison, real_path
from services.executor.captures.putting_back import PutBack
from services.executor.commands.base import (
    CommandContext,
    Completed,
    Failed,
    KeptStates,
    Outcome,
    StopProof,
)
from services.executor.commands.containment import FileError
from services.executor.commands.hive_access import ask_agents, origin_of, with_hive
from services.executor.commands.interruption import Interruption, interrupted
from services.executor.commands.sync import SyncCommand
from shared.commands.hive_sync import SyncOperation, SyncParameters
from shared.commands.kept import (
    RestoredBundle,
    RestoredPath,
    RestoreOperation,
    RestoreOutput,
    RestoreParameters,
)
from shared.contracts import control
from shared.contracts.captures import BundleItem, FileItem, Manifest, OwnPath
from shared.ports.hive import HivePort

AGENTS_S = 30.0
"""How long agents may take to remove the files of a bundle that was not there before."""
PROBLEMS_NAMED = 5
"""Most paths that a failure's message names; all are in its output."""


@dataclass(slots=True)
class _Paths:
    """What was found about the paths: in what each differs, and why one cannot be looked at."""

    differences: dict[OwnPath, tuple[str, ...]] = field(default_factory=dict)
    problems: dict[OwnPath, str] = field(default_factory=dict)


class Restoring:
    """Puts one manifest back, or compares it."""

    def __init__(
        self,
        params: RestoreParameters,
        context: CommandContext,
        kept: KeptStates,
        manifest: Manifest,
    ) -> None:
        self._params = params
        self._context = context
        self._kept = kept
        self._manifest = manifest
        files = [item for item in manifest.items if isinstance(item, FileItem)]
        self._files = [item for item in files if _is_wanted(item, params.paths)]
        bundles = [item for item in manifest.items if isinstance(item, BundleItem)]
        self._bundles = bundles if params.paths is None else []
        self._comparison = Comparison(context.policy, files)
        self._ends_s = asyncio.get_running_loop().time() + (context.deadline_s or float("inf"))

    async def run(self) -> Outcome:
        """Do it. Raises `CaptureError` where a content cannot be had."""
        before = await asyncio.to_thread(self._look)
        if self._params.operation is RestoreOperation.COMPARE:
            return self._outcome(before, before, [await self._compare(b) for b in self._bundles])
        differing = [item for item in self._files if before.differences.get(item.path)]
        contents = {
            item.path: await self._kept.content(item) for item in differing if item.was == "file"
        }
        loop = asyncio.get_running_loop()

        def stopped() -> bool:
            return self._context.cancelled.is_set() or loop.time() > self._ends_s

        work = PutBack(self._comparison, contents, stopped)
        await asyncio.to_thread(work.run, differing)
        after = await asyncio.to_thread(self._look)
        after.problems |= work.problems
        bundles = [] if stopped() else [await self._sync(b) for b in self._bundles]
        outcome = self._outcome(before, after, bundles)
        if not stopped():
            return outcome
        cancelled = self._context.cancelled.is_set()
        why = Interruption.CANCELLED if cancelled else Interruption.TIMED_OUT
        proof = StopProof(True, "stopped between two paths; each is as it was before or after")
        return interrupted(why, proof, outcome.output)

    def _look(self) -> _Paths:
        found = _Paths()
        for item in self._files:
            try:
                found.differences[item.path] = self._comparison.differences(item)
            except FileError as error:
                found.differences[item.path] = ("unreadable",)
                found.problems[item.path] = error.failed.message
        return found

    def _outcome(
        self, before: _Paths, after: _Paths, bundles: list[RestoredBundle]
    ) -> Completed | Failed:
        compares = self._params.operation is RestoreOperation.COMPARE
        files = [
            _restored(item, before, after)
            for item in self._files
            if before.differences[item.path] or after.differences[item.path]
        ]
        undone = [one.path for one in files if not one.restored]
        undone += [one.bundle for one in bundles if not one.restored]
        total = len(self._files) + len(bundles)
        differed = len(files) + sum(one.version != one.current for one in bundles)
        output = RestoreOutput(
            operation=self._params.operation.value,
            agent=self._manifest.agent,
            captured_at_ms=self._manifest.at_ms,
            attempt=self._manifest.attempt,
            total=total,
            unchanged=total - differed,
            restored=0 if compares else differed - len(undone),
            files=files,
            bundles=bundles,
        ).model_dump(mode="json")
        if compares or not undone:
            return Completed(output)
        named = ", ".join(undone[:PROBLEMS_NAMED])
        more = f" and {len(undone) - PROBLEMS_NAMED} more" if len(undone) > PROBLEMS_NAMED else ""
        reason = next((f": {one.problem}" for one in files if one.problem), "")
        message = f"not as it was: {named}{more}{reason}"
        return Failed("restore_incomplete", message[:2_000], retryable=True, output=output)

    async def _compare(self, item: BundleItem) -> RestoredBundle:
        current = await self._current(item)
        return RestoredBundle(
            bundle=item.bundle,
            version=item.version,
            current=current,
            restored=current == item.version,
        )

    async def _sync(self, item: BundleItem) -> RestoredBundle:
        """Make the version current again, and have its agents fetch it."""
        seen = await self._compare(item)
        if item.version is None and seen.current is None:
            return seen
        if item.version is None:
            outcome = await with_hive(self._context, lambda hive: self._withdraw(hive, item))
        else:
            params = SyncParameters(
                operation=SyncOperation.RESTORE,
                bundle=item.bundle,
                version=item.version,
                agents=list(item.agents) or None,
            )
            outcome = await SyncCommand().run(params, self._context)
        if isinstance(outcome, Completed):
            return seen.model_copy(update={"restored": True})
        problem = outcome.message if isinstance(outcome, Failed) else "it was interrupted"
        return seen.model_copy(update={"restored": False, "problem": problem})

    async def _withdraw(self, hive: HivePort, item: BundleItem) -> Outcome:
        """Have its agents remove what was not there before."""
        made_by, now_ms = origin_of(self._context).key(), hive.clock.now_ms()
        version = await hive.bundles.withdraw(item.bundle, made_by=made_by, at_ms=now_ms)
        order = control.SyncOrder(versions=(version,), apply=True, rewrite=False)
        named = list(item.agents) or None
        answers = await ask_agents(hive, control.SYNC, order, named, AGENTS_S)
        lacking = [*answers.silent, *answers.errors]
        lacking += [
            name
            for name, report in answers.answers.items()
            if any(held.version != version.version for held in report.bundles)
        ]
        if not lacking:
            return Completed({})
        message = f"its files are not removed on: {', '.join(sorted(lacking))}"
        return Failed("not_in_sync", message, retryable=True)

    async def _current(self, item: BundleItem) -> int | None:
        async def ask(hive: HivePort) -> Outcome:
            bundle = await hive.bundles.get(item.bundle)
            version = bundle.version(bundle.current) if bundle is not None else None
            there = version is not None and (version.files or item.version == version.version)
            return Completed({"current": version.version if version and there else None})

        outcome = await with_hive(self._context, ask)
        return outcome.output.get("current") if isinstance(outcome, Completed) else None


def _restored(item: FileItem, before: _Paths, after: _Paths) -> RestoredPath:
    left = after.differences[item.path]
    problem = after.problems.get(item.path, "")
    only_owner = left == ("owner",) and os.geteuid() != 0
    if left and not problem:
        problem = f"differs in {', '.join(left)}"
        if only_owner:
            problem = "belongs to the agent's user now, who may not give files away"
    return RestoredPath(
        path=str(item.path.text),
        was=item.was,
        differs=list(before.differences[item.path]),
        restored=not left or only_owner,
        problem=problem,
    )


def _is_wanted(item: FileItem, paths: list[str] | None) -> bool:
    if paths is None:
        return True
    real = real_path(item.path)
    return any(real.is_relative_to(path) for path in paths)
