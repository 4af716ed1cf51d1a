"""`recall` and `hv-query`: what the hive remembers, and what its agents find now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from pydantic import BaseModel

from services.executor.commands.base import CommandContext, Completed, Outcome
from services.executor.commands.hive_access import ask_agents, with_hive
from shared.collective.choosing import fitting
from shared.commands.hive_knowledge import (
    QUERY,
    RECALL,
    AgentFacts,
    FittingParticipant,
    QueryOutput,
    QueryParameters,
    RecalledMemory,
    RecallOutput,
    RecallParameters,
)
from shared.commands.spec import CommandSpec
from shared.contracts import control
from shared.contracts.collective import MemoryQuery, Recalled
from shared.ports.control import Answers
from shared.ports.hive import HivePort

RESERVED_BYTES = 4_096
"""Part of the output limit that is kept for everything but what was found."""


class RecallCommand:
    """Searches the collective memory."""

    spec: CommandSpec = RECALL
    parameters: type[BaseModel] = RecallParameters

    async def run(self, params: RecallParameters, context: CommandContext) -> Outcome:
        """Search."""

        async def work(hive: HivePort) -> Outcome:
            found = await _recall(hive, params)
            memories, left_out = _that_fit(found, context.output_limit_bytes - RESERVED_BYTES)
            output = RecallOutput(memories=memories, count=len(found), left_out=left_out)
            return Completed(output.model_dump(mode="json"))

        return await with_hive(context, work)


class QueryCommand:
    """Searches the memory, asks agents, looks for participants: all at once."""

    spec: CommandSpec = QUERY
    parameters: type[BaseModel] = QueryParameters

    async def run(self, params: QueryParameters, context: CommandContext) -> Outcome:
        """Ask everybody, and join what they say."""

        async def work(hive: HivePort) -> Outcome:
            found, answers, participants = await asyncio.gather(
                _recall(hive, params), _facts(hive, params), _participants(hive, params)
            )
            agents = [
                AgentFacts(agent=name, facts=dict(answers.answers[name].facts))
                for name in sorted(answers.answers)
            ]
            output = QueryOutput(
                memories=[],
                count=len(found),
                agents=agents,
                unreachable=sorted(answers.silent),
                errors=answers.errors,
                participants=participants,
            )
            taken = len(output.model_dump_json().encode()) + RESERVED_BYTES
            memories, left_out = _that_fit(found, context.output_limit_bytes - taken)
            joined = output.model_copy(update={"memories": memories, "left_out": left_out})
            return Completed(joined.model_dump(mode="json"))

        return await with_hive(context, work)


async def _recall(hive: HivePort, params: RecallParameters | QueryParameters) -> Sequence[Recalled]:
    if isinstance(params, QueryParameters) and not params.query and not params.tags:
        return ()
    query = MemoryQuery(
        text=params.query,
        category=params.category,
        tags=tuple(params.tags),
        min_importance=params.min_importance,
        limit=params.limit,
    )
    return await hive.memories.recall(query, hive.clock.now_ms())


async def _facts(hive: HivePort, params: QueryParameters) -> Answers[control.FactsAnswer]:
    if not params.facts and not params.processes:
        return Answers()
    topics = tuple(topic.value for topic in dict.fromkeys(params.facts))
    question = control.FactsQuestion(topics=topics, processes=tuple(params.processes))
    return await ask_agents(hive, control.FACTS, question, params.agents, params.deadline_s)


async def _participants(hive: HivePort, params: QueryParameters) -> list[FittingParticipant]:
    if not params.find_participants:
        return []
    counts = await hive.delegations.open_counts()
    able = fitting(await hive.participants.all(), counts, params.required_capabilities)
    return [
        FittingParticipant(
            name=participant.name,
            kind=participant.kind,
            capabilities=list(participant.capabilities),
            open_delegations=counts.get(participant.name, 0),
        )
        for participant in able
    ]


def _that_fit(found: Sequence[Recalled], limit_bytes: int) -> tuple[list[RecalledMemory], int]:
    """The best memories that fit into so many bytes of JSON, and how many do not."""
    listed: list[RecalledMemory] = []
    for recalled in found:
        memory = _listed(recalled)
        limit_bytes -= len(json.dumps(memory.model_dump(mode="json"), ensure_ascii=False).encode())
        if limit_bytes < 0:
            break
        listed.append(memory)
    return listed, len(found) - len(listed)


def _listed(recalled: Recalled) -> RecalledMemory:
    memory = recalled.memory
    return RecalledMemory(
        memory_id=memory.id,
        content=memory.content,
        category=memory.category,
        tags=list(memory.tags),
        importance=memory.importance,
        created_at_ms=memory.created_at_ms,
        author=memory.author,
        score=recalled.score,
        parts={name: value for name, value in recalled.parts if value is not None},
    )
