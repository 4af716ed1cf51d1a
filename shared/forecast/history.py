"""Experience from stored executions: what the newest ended runs of a template showed.

Steps are known by their ids, whichever version of the template they ran in: a version that changed
a step's meaning and kept its id is counted as the same step. What a re-run kept from another run is
not counted a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from shared.forecast.experience import Attempts, Experience, Seen, Share, distribution
from shared.workflow.binding import base
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.message_base import AttemptRecord
from shared.workflow.state import ExecutionState, StepState

RECENT_RUNS: Final = 200
"""How many of the newest ended runs are looked at: enough for rates of a percent, and bounded."""

_CONDITION: Final = "its condition is false"
_NOBODY: Final = "no_agent"
_COUNTED: Final = ("completed", "failed")


class RecentRuns(Protocol):
    """Where earlier runs are read."""

    async def recent(self, template_id: str, limit: int) -> Sequence[ExecutionState]:
        """The newest executions of a template that have ended."""
        ...


async def load_experience(
    executions: RecentRuns, template_id: str, limit: int = RECENT_RUNS
) -> Experience:
    """What the newest `limit` ended executions of a template showed."""
    return experience_of(await executions.recent(template_id, limit))


def experience_of(states: Iterable[ExecutionState]) -> Experience:
    """What these executions showed."""
    found = History()
    for state in states:
        found.add(state)
    return found


@dataclass(slots=True)
class _Tally:
    """The attempts at one step, as they are counted."""

    ended: int = 0
    failed: int = 0
    final: int = 0
    lost: int = 0
    absent: int = 0
    again: int = 0
    again_failed: int = 0
    durations_s: list[float] = field(default_factory=list)

    def add(self, attempt: AttemptRecord, before: AttemptRecord | None) -> None:
        if attempt.outcome == "lost":
            self.lost += 1
        if attempt.failure is not None and attempt.failure.code == _NOBODY:
            self.absent += 1
            return
        if attempt.outcome not in _COUNTED:
            return
        failed = attempt.outcome == "failed"
        self.ended += 1
        self.failed += failed
        self.final += failed and attempt.failure is not None and not attempt.failure.retryable
        if before is not None and before.outcome == "failed":
            self.again += 1
            self.again_failed += failed
        if 0 < attempt.started_at_ms <= attempt.finished_at_ms:
            self.durations_s.append((attempt.finished_at_ms - attempt.started_at_ms) / 1000)

    def attempts(self) -> Attempts:
        return Attempts(
            ended=self.ended,
            failed=self.failed,
            final=self.final,
            lost=self.lost,
            absent=self.absent,
            again=self.again,
            again_failed=self.again_failed,
            durations_s=distribution(self.durations_s),
        )


class History:
    """Counts what executions showed; an `Experience`."""

    def __init__(self) -> None:
        self.runs = 0
        self._attempts: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
        self._conditions: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._rounds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._instances: dict[str, list[float]] = defaultdict(list)
        self._waits: dict[str, list[float]] = defaultdict(list)

    def add(self, state: ExecutionState) -> None:
        """Count one ended execution."""
        self.runs += 1
        for key, step in state.steps.items():
            if not step.kept_from:
                self._add_step(key, step)
        for name, gate in state.gates.items():
            if gate.status is ApprovalStatus.GRANTED and gate.closed_at_ms and not gate.kept_from:
                self._waits[name].append((gate.closed_at_ms - gate.requested_at_ms) / 1000)

    def attempts(self, step: str, agent: str = "") -> Attempts | None:
        """The attempts at a step; with `agent` only those on that agent."""
        tally = self._attempts.get((step, agent))
        return tally.attempts() if tally is not None else None

    def condition(self, step: str) -> Share | None:
        """How often the step's condition held, of the times that it was its turn."""
        return _share(self._conditions.get(step))

    def rounds(self, step: str) -> Share | None:
        """How often the condition of the step's `until` held, of the rounds that it ran."""
        return _share(self._rounds.get(step))

    def instances(self, step: str) -> Seen:
        """How many instances the step's loop had."""
        return distribution(self._instances.get(step, []))

    def wait_s(self, name: str) -> Seen:
        """How long the gate or the step of this name waited, in seconds."""
        return distribution(self._waits.get(name, []))

    def _add_step(self, key: str, step: StepState) -> None:
        name = base(key)
        before: AttemptRecord | None = None
        for attempt in step.attempts:
            for agent in {"", attempt.agent}:
                self._attempts[name, agent].add(attempt, before)
            before = attempt
        if step.instances:
            self._instances[name].append(step.instances)
        if step.instance is None:
            self._add_whole(name, step)

    def _add_whole(self, name: str, step: StepState) -> None:
        if step.reason == _CONDITION:
            self._conditions[name][0] += 1
        elif step.attempt or step.instances:
            self._conditions[name][0] += 1
            self._conditions[name][1] += 1
        if step.rounds or step.status is StepStatus.COMPLETED:
            completed = step.status is StepStatus.COMPLETED
            self._rounds[name][0] += step.rounds + completed
            self._rounds[name][1] += completed
        waited = (
            step.status is StepStatus.COMPLETED and not step.attempt and "option" in step.output
        )
        if waited and step.started_at_ms:
            self._waits[name].append((step.ended_at_ms - step.started_at_ms) / 1000)


def _share(counted: list[int] | None) -> Share | None:
    return Share(times=counted[0], held=counted[1]) if counted is not None else None
