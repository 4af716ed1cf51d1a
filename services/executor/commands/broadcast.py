"""`hv-broadcast`: stored first, then sent, then acknowledged."""

from __future__ import annotations

from pydantic import BaseModel

from services.executor.commands.base import CommandContext, Completed, Failed, Outcome
from services.executor.commands.hive_access import is_enough, origin_of, with_hive
from shared.commands.hive import BROADCAST, BroadcastOutput, BroadcastParameters
from shared.commands.spec import CommandSpec
from shared.contracts import control
from shared.contracts.collective import Broadcast
from shared.ports.hive import HivePort


class BroadcastCommand:
    """Sends to every agent. An attempt sends once, however often it is delivered."""

    spec: CommandSpec = BROADCAST
    parameters: type[BaseModel] = BroadcastParameters

    async def run(self, params: BroadcastParameters, context: CommandContext) -> Outcome:
        """Store, send, collect, judge."""

        async def work(hive: HivePort) -> Outcome:
            kept = await hive.broadcasts.send(await _message(hive, params, context))
            context.emit("progress", f"stored as {kept.id}, expected: {len(kept.expected)} agents")
            notice = control.BroadcastNotice(broadcast=kept)
            answers = await hive.control.ask_all(
                control.BROADCAST, notice, kept.expected, params.deadline_s
            )
            receipts = [answer.acknowledgement for answer in answers.answers.values()]
            kept = await hive.broadcasts.acknowledge(kept.id, receipts)
            return _judge(params, _output(kept, answers.errors))

        return await with_hive(context, work)


async def _message(
    hive: HivePort, params: BroadcastParameters, context: CommandContext
) -> Broadcast:
    origin = origin_of(context)
    now_ms = hive.clock.now_ms()
    return Broadcast(
        id=f"bc_{origin.key()}",
        message=params.message,
        category=params.category,
        severity=params.severity,
        sender=context.agent,
        sent_at_ms=now_ms,
        expires_at_ms=now_ms + params.expires_in_s * 1000,
        expected=tuple(record.name for record in await hive.agents.live()),
        origin=origin,
    )


def _output(kept: Broadcast, errors: dict[str, str]) -> BroadcastOutput:
    have = sorted(kept.acknowledged_by())
    return BroadcastOutput(
        broadcast_id=kept.id,
        expected=len(kept.expected),
        acknowledged=len(have),
        acknowledged_by=have,
        missing=sorted(set(kept.expected) - set(have)),
        errors=errors,
        sent_at_ms=kept.sent_at_ms,
    )


def _judge(params: BroadcastParameters, output: BroadcastOutput) -> Outcome:
    data = output.model_dump(mode="json")
    have = output.expected - len(output.missing)
    if is_enough(params.require, have, output.expected):
        return Completed(data)
    missing = ", ".join(output.missing) or "no agent is alive"
    message = f"{have} of {output.expected} agents acknowledged, required: {params.require}; "
    return Failed("not_acknowledged", f"{message}missing: {missing}", retryable=True, output=data)
