"""The hive as a command sees it: who is alive, what is kept together, how to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shared.ports.agents import AgentDirectory
from shared.ports.bundles import Bundles
from shared.ports.clock import Clock
from shared.ports.collective import Broadcasts, Delegations, Memories, Participants
from shared.ports.control import Control


class HivePort(Protocol):
    """Everything a hive command may use."""

    @property
    def agents(self) -> AgentDirectory:
        """The directory of live agents."""
        ...

    @property
    def control(self) -> Control:
        """Questions to live agents."""
        ...

    @property
    def memories(self) -> Memories:
        """The collective memory."""
        ...

    @property
    def delegations(self) -> Delegations:
        """Tasks given to participants."""
        ...

    @property
    def broadcasts(self) -> Broadcasts:
        """Messages to all agents."""
        ...

    @property
    def participants(self) -> Participants:
        """Who takes delegated tasks."""
        ...

    @property
    def bundles(self) -> Bundles:
        """Files for distribution."""
        ...

    @property
    def clock(self) -> Clock:
        """Wall-clock time."""
        ...


@dataclass(frozen=True, slots=True)
class Hive:
    """A `HivePort` put together from its parts."""

    agents: AgentDirectory
    control: Control
    memories: Memories
    delegations: Delegations
    broadcasts: Broadcasts
    participants: Participants
    bundles: Bundles
    clock: Clock
