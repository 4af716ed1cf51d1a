"""The directory of live agents: a bucket in which each renews its own record."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from pydantic import ValidationError

from shared.adapters.nats.buckets import read_all
from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.contracts.agents import AgentRecord

log = structlog.get_logger()


class NatsAgentDirectory:
    """Agents in the bucket `agents`; who does not announce itself for its time to live is gone."""

    def __init__(self, bus: Bus, bucket: str = subjects.AGENTS_BUCKET) -> None:
        self._bus = bus
        self._bucket = bucket

    async def announce(self, record: AgentRecord) -> None:
        """Say that this agent lives."""
        await self._bus.jetstream.publish(
            f"$KV.{self._bucket}.{subjects.token(record.name)}",
            record.model_dump_json().encode(),
            timeout=5,
        )

    async def withdraw(self, name: str) -> None:
        """Say that it is gone."""
        await self._bus.jetstream.publish(
            f"$KV.{self._bucket}.{subjects.token(name)}",
            b"",
            headers={"KV-Operation": "DEL"},
            timeout=5,
        )

    async def live(self) -> Sequence[AgentRecord]:
        """All live agents, by name."""
        entries = await read_all(self._bus, self._bucket)
        records = (_parse(entry.key, entry.value) for entry in entries)
        return sorted((r for r in records if r is not None), key=lambda r: r.name)


def _parse(key: str, value: bytes) -> AgentRecord | None:
    try:
        return AgentRecord.model_validate_json(value)
    except ValidationError as error:
        log.warning("agent record cannot be read", agent=key, reason=str(error)[:300])
        return None
