"""`remember`: into the collective memory."""

from __future__ import annotations

from pydantic import BaseModel

from services.executor.commands.base import CommandContext, Completed, Outcome
from services.executor.commands.hive_access import origin_of, with_hive
from shared.commands.hive_knowledge import REMEMBER, RememberOutput, RememberParameters
from shared.commands.spec import CommandSpec
from shared.contracts.collective import Memory
from shared.ports.hive import HivePort


class RememberCommand:
    """Remembers once for each attempt: the memory's id is made of it."""

    spec: CommandSpec = REMEMBER
    parameters: type[BaseModel] = RememberParameters

    async def run(self, params: RememberParameters, context: CommandContext) -> Outcome:
        """Keep it."""

        async def work(hive: HivePort) -> Outcome:
            memory = _memory(params, context, hive.clock.now_ms())
            created = await hive.memories.remember(memory)
            kept = memory if created else await hive.memories.get(memory.id) or memory
            output = RememberOutput(
                memory_id=kept.id, created=created, expires_at_ms=kept.expires_at_ms
            )
            return Completed(output.model_dump(mode="json"))

        return await with_hive(context, work)


def _memory(params: RememberParameters, context: CommandContext, now_ms: int) -> Memory:
    origin = origin_of(context)
    lasts_s = params.expires_in_s
    return Memory(
        id=f"mem_{origin.key()}",
        content=params.content,
        category=params.category,
        tags=tuple(dict.fromkeys(params.tags)),
        importance=params.importance,
        created_at_ms=now_ms,
        expires_at_ms=None if lasts_s is None else now_ms + lasts_s * 1000,
        author=context.agent,
        origin=origin,
    )
