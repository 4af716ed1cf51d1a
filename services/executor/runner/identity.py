"""Which leg of which attempt a runner holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from services.executor.runner.grant import Grant
from shared.contracts.claims import ClaimDecision, ClaimQuestion
from shared.contracts.tasks import StopOrder, Task
from shared.ports.tasks import TaskDelivery
from shared.workflow.captured import Captured

Key = tuple[str, str, int, int]


def key_of(about: Task | StopOrder | ClaimQuestion | ClaimDecision) -> Key:
    """Execution, step, attempt and leg."""
    return about.execution_id, about.step, about.attempt, about.leg


YOUNG_MS: Final = 20_000
"""Claims stay in the journal for longer than this, through a restart of the server too."""


@dataclass(slots=True)
class Held:
    """A task in this runner's hands, from delivery to acknowledgement."""

    delivery: TaskDelivery
    task: Task
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    claimed: bool = False
    """A claim of it is stated or about to be: whoever asks hears that it is held here."""
    grant: Grant | None = None
    """Leave to start it; what changes nothing needs none."""
    running: bool = False
    shutting_down: bool = False
    captured: Captured | None = None
    """What was kept before it began."""
    renew: Callable[[], Awaitable[None]] | None = None
    """Asks anew for a grant that has run out while something was kept."""
    key: Key = field(init=False)
    """Execution, step, attempt and leg."""
    name: str = field(init=False)
    """The same as text, the basis of message ids."""
    in_doubt: bool = field(init=False)
    """Some earlier delivery of it may have been started."""

    def __post_init__(self) -> None:
        delivery = self.delivery
        first = delivery.deliveries == 1 and not delivery.resent and self.task.offer == 0
        self.in_doubt = not first or delivery.age_ms >= YOUNG_MS
        self.key = key_of(self.task)
        self.name = self.task.leg_id
