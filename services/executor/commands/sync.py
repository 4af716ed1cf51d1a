"""`hv-sync`: files from the object store onto agents, and what each of them then has."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from pydantic import BaseModel

from services.executor.commands.base import Changes, CommandContext, Completed, Failed, Outcome
from services.executor.commands.hive_access import ask_agents, is_enough, origin_of, with_hive
from shared.commands.hive_sync import (
    SYNC,
    AgentBundles,
    BundleState,
    PushedFile,
    SyncOperation,
    SyncOutput,
    SyncParameters,
)
from shared.commands.spec import CommandSpec
from shared.contracts import control
from shared.contracts.captures import BundleItem
from shared.contracts.sync import BundleVersion, HeldBundle
from shared.ports.bundles import NewFile
from shared.ports.collective import InvalidRequestError, NotFoundError
from shared.ports.control import Answers
from shared.ports.hive import HivePort

BUNDLES_LIMIT = 100
"""Most bundles that one step distributes or asks about."""


class SyncCommand:
    """Changes the bundle first, then has the agents fetch it, then judges what they have."""

    spec: CommandSpec = SYNC
    parameters: type[BaseModel] = SyncParameters

    async def changes(self, params: SyncParameters, context: CommandContext) -> Changes:
        """Which version of the bundle is current. Raises what the hive raises."""
        names_one = params.operation in (SyncOperation.PUSH, SyncOperation.RESTORE)
        if context.hive is None or not names_one or params.bundle is None:
            return Changes()
        bundle = await context.hive.bundles.get(params.bundle)
        item = BundleItem(
            bundle=params.bundle,
            version=bundle.current if bundle is not None else None,
            agents=tuple(params.agents or ()),
        )
        return Changes(bundles=(item,))

    async def run(self, params: SyncParameters, context: CommandContext) -> Outcome:
        """Carry the operation out."""

        async def work(hive: HivePort) -> Outcome:
            versions = await _versions(hive, params, context)
            order = control.SyncOrder(
                versions=tuple(versions),
                apply=params.operation is not SyncOperation.STATUS,
                rewrite=params.operation is SyncOperation.FORCE,
            )
            answers = await ask_agents(hive, control.SYNC, order, params.agents, params.deadline_s)
            return _judge(params, _output(params, versions, answers))

        return await with_hive(context, work)


async def _versions(
    hive: HivePort, params: SyncParameters, context: CommandContext
) -> list[BundleVersion]:
    made_by = origin_of(context).key()
    if params.operation is SyncOperation.PUSH:
        files = [_new_file(file) for file in params.files or ()]
        name = params.bundle or ""
        now_ms = hive.clock.now_ms()
        return [await hive.bundles.push(name, files, made_by=made_by, at_ms=now_ms)]
    if params.operation is SyncOperation.RESTORE:
        name = params.bundle or ""
        return [await hive.bundles.restore(name, made_by=made_by, version=params.version)]
    names = await hive.bundles.names() if params.bundle is None else [params.bundle]
    if len(names) > BUNDLES_LIMIT:
        raise InvalidRequestError(
            f"bundle: there are {len(names)} bundles, more than {BUNDLES_LIMIT}; name one"
        )
    return [await _current(hive, name) for name in names]


async def _current(hive: HivePort, name: str) -> BundleVersion:
    bundle = await hive.bundles.get(name)
    version = bundle.version(bundle.current) if bundle is not None else None
    if version is None:
        raise NotFoundError(f"bundle: there is no bundle {name}; push one first")
    return version


def _new_file(file: PushedFile) -> NewFile:
    if file.encoding == "utf-8":
        return NewFile(file.path, file.content.encode(), file.mode)
    try:
        return NewFile(file.path, base64.b64decode(file.content, validate=True), file.mode)
    except binascii.Error as error:
        raise InvalidRequestError(f"files: {file.path}: content is not base64: {error}") from error


def _output(
    params: SyncParameters,
    versions: Sequence[BundleVersion],
    answers: Answers[control.SyncReport],
) -> SyncOutput:
    agents = [
        _agent(name, versions, answers.answers[name].bundles) for name in sorted(answers.answers)
    ]
    return SyncOutput(
        operation=params.operation.value,
        bundles=[_bundle(version) for version in versions],
        total=len(agents) + len(answers.silent) + len(answers.errors),
        in_sync=sum(agent.in_sync for agent in agents),
        out_of_sync=[agent.agent for agent in agents if not agent.in_sync],
        unreachable=sorted(answers.silent),
        errors=answers.errors,
        agents=agents,
    )


def _agent(
    name: str, versions: Sequence[BundleVersion], held: Sequence[HeldBundle]
) -> AgentBundles:
    has = {bundle.bundle: bundle.version for bundle in held}
    return AgentBundles(
        agent=name,
        in_sync=all(has.get(version.bundle) == version.version for version in versions),
        versions=has,
        written=sum(file.state == "written" for bundle in held for file in bundle.files),
        problems=[f"{bundle.bundle}/{text}" for bundle in held for text in bundle.problems],
    )


def _bundle(version: BundleVersion) -> BundleState:
    return BundleState(
        bundle=version.bundle,
        version=version.version,
        previous=version.previous,
        files=len(version.files),
        bytes=sum(file.bytes for file in version.files),
        sha256={file.path: file.sha256 for file in version.files},
    )


def _judge(params: SyncParameters, output: SyncOutput) -> Outcome:
    data = output.model_dump(mode="json")
    usual = "none" if params.operation is SyncOperation.STATUS else "all"
    require = params.require or usual
    if is_enough(require, output.in_sync, output.total):
        return Completed(data)
    rest = [*output.out_of_sync, *output.unreachable, *sorted(output.errors)]
    listed = ", ".join(rest) or "no agent is alive"
    message = f"{output.in_sync} of {output.total} agents are in sync, required: {require}; "
    return Failed("not_in_sync", f"{message}not: {listed}", retryable=True, output=data)
