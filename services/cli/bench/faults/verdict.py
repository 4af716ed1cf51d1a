"""What must hold after everything: nothing lost, nothing doubled, every record like the others.

Three witnesses are compared, none of which knows of the others: the ledger that the steps wrote,
the states and histories in the database, and the public events.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.cli.bench.faults import ledger
from services.cli.bench.faults.load import Endings
from shared.adapters.nats.connection import Bus
from shared.adapters.nats.reading import read_stream
from shared.contracts.events import PublicEvent
from shared.workflow.replay import HistoryEntry, fold
from shared.workflow.state import ExecutionState

PATIENCE_S: Final = 180.0
"""How long what was accepted may still take after the last strike."""
HISTORY: Final = 100_000


@dataclass
class Verdict:
    """What is wrong, by kind; all of them empty when nothing is."""

    unended: list[str] = field(default_factory=list)
    """Accepted, and not ended."""
    doubled: list[str] = field(default_factory=list)
    """Steps that may run once and ran more often, and events published more than once."""
    missing: list[str] = field(default_factory=list)
    """Steps that are called completed and left no trace, and events that were never published."""
    differing: list[str] = field(default_factory=list)
    """Executions whose stored state is not the fold of their history."""
    lost_steps: int = 0
    """Attempts whose outcome is unknown, and said to be."""

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, in words."""
        kinds = {
            "not ended": self.unended,
            "doubled": self.doubled,
            "missing": self.missing,
            "state differs from history": self.differing,
        }
        return [f"{kind}: {what}" for kind, found in kinds.items() for what in found]


async def judge(
    accepted: Sequence[str], endings: Endings, bus: Bus, book: Path, patience_s: float = PATIENCE_S
) -> Verdict:
    """Wait for the end of what was accepted, then compare the witnesses."""
    verdict = Verdict()
    states = await _ended(accepted, endings, verdict, patience_s)
    done = ledger.effects(book)
    expected: set[str] = set()
    for state in states:
        history = await endings.queries.history(state.execution_id, limit=HISTORY)
        if fold(state.execution_id, history) != state:
            verdict.differing.append(state.execution_id)
        compare(state, done, verdict)
        expected |= public_ids(state.execution_id, history)
    compare_events(expected, await _published(bus), set(accepted), verdict)
    return verdict


async def _ended(
    accepted: Sequence[str], endings: Endings, verdict: Verdict, patience_s: float
) -> list[ExecutionState]:
    try:
        async with asyncio.timeout(patience_s):
            return await endings.wait(accepted)
    except TimeoutError:
        states = {e: await endings.state(e) for e in accepted}
    for execution, state in states.items():
        if state is None or not state.ended:
            verdict.unended.append(f"{execution} {_standing(state)}")
    return [state for state in states.values() if state is not None and state.ended]


def _standing(state: ExecutionState | None) -> str:
    if state is None:
        return "unknown"
    steps = (f"{n}={s.status.value}/{s.attempt}.{s.leg}" for n, s in state.steps.items())
    return f"{state.status.value}: {', '.join(steps)}"


def compare(state: ExecutionState, done: Mapping[tuple[str, str], int], verdict: Verdict) -> None:
    """The state with the ledger."""
    for name, step in state.steps.items():
        times = done.get((state.execution_id, name), 0)
        where = f"{state.execution_id} {name}"
        if name not in ledger.IDEMPOTENT and times > 1:
            verdict.doubled.append(f"{where} ran {times} times")
        if times == 0 and (step.status == "completed" or name in ledger.IDEMPOTENT):
            verdict.missing.append(f"{where} is {step.status.value} and left no trace")
        verdict.lost_steps += sum(attempt.outcome == "lost" for attempt in step.attempts)


def public_ids(execution: str, history: Sequence[HistoryEntry]) -> set[str]:
    """The ids of the events that must have been published."""
    events = [event for entry in history for event in entry.events]
    return {f"{execution}.{n}" for n, event in enumerate(events, start=1) if event.PUBLIC}


async def _published(bus: Bus) -> Counter[str]:
    """How often each event of an execution was published."""
    subjects = ("hive.event.execution.>", "hive.event.step.>")
    found: Counter[str] = Counter()
    async for message in read_stream(bus, "EVENTS", subjects, after=0, to_the_end=True):
        found[PublicEvent.model_validate_json(message.data).id] += 1
    return found


def compare_events(
    expected: set[str], published: Counter[str], accepted: set[str], verdict: Verdict
) -> None:
    """The events that histories tell of with those that were published, of these executions."""
    of_ours = {i: n for i, n in published.items() if i.rpartition(".")[0] in accepted}
    verdict.doubled += [f"event {i} published {n} times" for i, n in of_ours.items() if n > 1]
    verdict.missing += [f"event {i} was never published" for i in sorted(expected - set(of_ours))]
