"""What agents say of themselves."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.names import Slug


class AgentRecord(BaseModel):
    """An agent as it announces itself, every few seconds, into a bucket with a time to live.

    `load` is the share of its slots in use (0 to 1); `system_load` the host's one-minute load
    average divided by its cores. Times in epoch milliseconds.
    """

    model_config = ConfigDict(frozen=True)

    name: Slug
    kind: str = "runner"
    host: str
    pid: int = 0
    version: str
    labels: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    slots: int = 1
    running: int = 0
    load: float = 0.0
    system_load: float = 0.0
    memory_percent: float = 0.0
    disk_percent: float = 0.0
    started_at_ms: int
    seen_at_ms: int
    draining: bool = False
