"""A schedule in a world: each of its moments starts one execution, whoever is there to see it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.automation.messages import AUTOMATION_MESSAGE, AutomationMessage, Paused, Saved
from shared.automation.specs import ScheduleSpec
from shared.automation.states import ScheduleState
from shared.memory.actors import MemoryAutomationStore
from shared.workflow.state import ExecutionState
from tests.simulation.system.servers import Streams

NAME: Final = "sc_1"


class Schedule:
    """Made by somebody, paused when it is calm."""

    def __init__(self, rng: random.Random, streams: Streams, template_id: str) -> None:
        overlap: Any = rng.choice(("allow", "skip", "queue", "cancel_older"))
        missed: Any = rng.choice(("skip", "run_once", "run_all"))
        self._streams = streams
        self._spec = ScheduleSpec.model_validate(
            {
                "name": "often",
                "template_id": template_id,
                "parameters": {"flag": rng.random() < 0.5},
                "timetable": {"every_s": rng.choice((5, 8))},
                "overlap": overlap,
                "missed": missed,
                "missed_after_s": rng.choice((1, 10)),
            }
        )

    def make(self) -> None:
        """Ask for it."""
        self._say(Saved(request_id="make", spec=self._spec))

    def pause(self) -> None:
        """It starts nothing more."""
        self._say(Paused(request_id="pause"))

    def _say(self, message: AutomationMessage) -> None:
        self._streams.append(NAME, AUTOMATION_MESSAGE.dump_json(message), message.type)


async def check_schedule(
    store: MemoryAutomationStore, executions: Sequence[ExecutionState]
) -> list[str]:
    """Whatever is wrong with what it started."""
    found = await store.peek(NAME)
    if found is None or not isinstance(found.state, ScheduleState):
        return [f"{NAME} was accepted and is not stored"]
    return list(_wrong(found.state, executions))


def _wrong(state: ScheduleState, executions: Sequence[ExecutionState]) -> Iterator[str]:
    if state.status != "paused":
        yield f"{NAME} is {state.status} though it was paused"
    roots = [one for one in executions if one.parent is None]
    own = {one.execution_id for one in roots if one.trigger.source == NAME}
    if len(own) != state.counts.get("started", 0):
        yield f"{NAME} started {state.counts}, there are {len(own)} executions"
    started = [firing for firing in state.recent if firing.outcome == "started"]
    lost = [firing.execution_id for firing in started if firing.execution_id not in own]
    if lost:
        yield f"{NAME} started {lost}, which are not there"
    twice = [m for m, n in Counter(one.moment_ms for one in started).items() if n > 1]
    if twice:
        yield f"{NAME} started twice for {twice}"
    if state.runs:
        yield f"{NAME} was not told of the end of {[run.execution_id for run in state.runs]}"
