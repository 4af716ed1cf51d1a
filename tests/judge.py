"""Who looks at the runs that the engine asks for, in worlds without a gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from services.gateway.run_validation import Appends, RunValidation
from shared.contracts import subjects
from shared.contracts.run_validation import RunToValidate
from shared.memory.bus import MemoryBus
from shared.memory.journal import MemoryJournal
from shared.memory.tasks import MemoryTaskFeed
from shared.ports.tasks import TaskFeed
from shared.workflow.messages import RunValidated

Look = Callable[[RunToValidate], Awaitable[RunValidated]]


async def lets_go(_run: RunToValidate) -> RunValidated:
    """Nothing is found."""
    return RunValidated()


def judge_over(bus: MemoryBus, look: Look = lets_go) -> RunValidation:
    """The production worker over memory. Call `start`."""
    feed = MemoryTaskFeed(bus, "", (), slots=4, pools=(subjects.pool_validator(),))
    return judge_of(feed, MemoryJournal(bus), look)


def judge_of(feed: TaskFeed, journal: object, look: Look = lets_go) -> RunValidation:
    """The same over these ports."""
    return RunValidation(feed, cast("Appends", journal), look, lambda _error: None, 4)
