"""Who looks at the runs of a schedule before they begin: the worker of a gateway, killed as others.

Some runs are refused, always the same ones. In the end nothing has begun that nobody let go.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence

from shared.contracts import subjects
from shared.contracts.run_validation import RunToValidate
from shared.memory.bus import MemoryBus
from shared.workflow.messages import RunValidated
from shared.workflow.state import ExecutionState
from shared.workflow.validating import REFUSED
from tests.judge import judge_of
from tests.simulation.system.ports import Feed, Journal, Network

NAME = "judge"


class Judges:
    """What they said, by execution: whether it was refused."""

    def __init__(self, bus: MemoryBus, network: Network) -> None:
        self._bus = bus
        self._network = network
        self._said: dict[str, bool] = {}

    async def main(self, _name: str) -> None:
        """One of them."""
        feed = Feed(self._bus, "", [], slots=4, pools=(subjects.pool_validator(),))
        judge_of(feed, Journal(self._bus, self._network), self._look).start()
        await asyncio.Event().wait()

    async def _look(self, run: RunToValidate) -> RunValidated:
        refused = zlib.crc32(run.execution_id.encode()) % 4 == 0
        self._said[run.execution_id] = refused
        return RunValidated(refused="not this one" if refused else "")

    def wrong(self, executions: Sequence[ExecutionState], source: str) -> Iterator[str]:
        """What began without their word, or against it."""
        for one in executions:
            if one.parent is not None or one.trigger.source != source:
                continue
            began = any(step.attempts or step.started_at_ms for step in one.steps.values())
            if began and self._said.get(one.execution_id, True):
                yield f"{one.execution_id} began, and nobody let it go"
            code = one.failure.code if one.failure is not None else ""
            if code == REFUSED and not self._said.get(one.execution_id, False):
                yield f"{one.execution_id} was refused, and nobody said so"
