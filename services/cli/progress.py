"""An execution as far as its public events tell: what the live tree draws. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ENDED, ExecutionStatus
from shared.workflow.machines.step import STEP_ENDED, StepStatus

if TYPE_CHECKING:
    from shared.contracts.api.executions import ExecutionView
    from shared.contracts.events import PublicEvent


@dataclass(slots=True)
class StepProgress:
    """One step. Times in epoch milliseconds, 0 for not yet; `earlier` says how attempts ended that
    were not the last."""

    id: str
    command: str = ""
    depends_on: tuple[str, ...] = ()
    status: str = StepStatus.PENDING
    attempt: int = 0
    agent: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0
    note: str = ""
    earlier: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in STEP_ENDED


@dataclass(slots=True)
class Progress:
    """One execution. `version` is that of the last event applied: older ones change nothing."""

    execution_id: str
    template: str = ""
    status: str = ExecutionStatus.PENDING
    steps: dict[str, StepProgress] = field(default_factory=dict)
    version: int = 0
    started_at_ms: int = 0
    ended_at_ms: int = 0
    note: str = ""

    @classmethod
    def of(cls, execution: ExecutionView) -> Progress:
        """Where a stored execution stands."""
        progress = cls(
            execution.id,
            f"{execution.template_id} {execution.template_version}",
            execution.status,
            version=execution.version,
            started_at_ms=execution.created_at_ms,
            ended_at_ms=execution.ended_at_ms,
            note=_note_of(execution),
        )
        for step in execution.steps:
            progress.steps[step.id] = StepProgress(
                step.id,
                step.command,
                step.depends_on,
                step.status,
                step.attempt,
                step.agent,
                step.started_at_ms,
                step.ended_at_ms,
                step.failure.message if step.failure else step.reason,
                [
                    _earlier(a.number, a.failure.message if a.failure else a.outcome)
                    for a in step.attempts
                    if a.number < step.attempt
                ],
            )
        return progress

    @property
    def ended(self) -> bool:
        """Whether it is at its end."""
        return self.status in ENDED

    @property
    def waits_for_approval(self) -> bool:
        """Whether it begins, or goes on, as soon as somebody approves."""
        return self.note == _FOR_APPROVAL or self.note.endswith(_AT_A_GATE)

    def describe(self, execution: ExecutionView) -> None:
        """Take over what never changes and no event tells: commands and dependencies."""
        self.template = f"{execution.template_id} {execution.template_version}"
        for view in execution.steps:
            step = self.steps.setdefault(view.id, StepProgress(view.id))
            step.command, step.depends_on = view.command, view.depends_on

    def apply(self, event: PublicEvent) -> bool:
        """Fold one event in; False when it is of another execution, or was known before."""
        if event.execution_id != self.execution_id or event.version <= self.version:
            return False
        self.version = event.version
        kind, _, what = event.type.partition(".")
        if kind == "step":
            self._step(what, event)
        elif kind == "execution":
            self._execution(what, event)
        elif event.data.get("gate") is not None:
            pass  # a gate before a step: `execution.waiting` tells where nothing else goes on
        elif event.type == "approval.requested":
            self.status, self.note = ExecutionStatus.WAITING, _FOR_APPROVAL
        elif event.type == "approval.granted":
            self.note = ""
        return True

    def levels(self) -> list[list[StepProgress]]:
        """The steps in order of dependency; those of one list wait for none of each other."""
        depth: dict[str, int] = {}
        for step in self.steps.values():
            known = [depth[name] for name in step.depends_on if name in depth]
            depth[step.id] = max(known, default=-1) + 1
        levels: list[list[StepProgress]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for step in self.steps.values():
            levels[depth[step.id]].append(step)
        return levels

    def _execution(self, what: str, event: PublicEvent) -> None:
        data = event.data
        if what == "created":
            self.template = f"{event.template_id} {event.template_version}"
            self.started_at_ms = event.at_ms
            for name in data.get("steps", ()):
                self.steps.setdefault(name, StepProgress(name))
            return
        self.status = _EXECUTION.get(what, self.status)
        self.note = _words(data) if what not in ("resumed", "continued", "started") else ""
        if self.ended:
            self.ended_at_ms = event.at_ms

    def _step(self, what: str, event: PublicEvent) -> None:
        name = str(event.data.get("step", ""))
        step = self.steps.setdefault(name, StepProgress(name))
        step.status = _STEP.get(what, step.status)
        step.attempt = event.data.get("attempt", step.attempt)
        step.agent = event.data.get("agent") or step.agent
        step.note = _NOTES.get(what, _words)(event.data)
        if what == "started" and not (event.data.get("leg") and step.started_at_ms):
            step.started_at_ms = event.at_ms
        elif what in ("retrying", "lost"):
            step.earlier.append(_earlier(step.attempt, step.note))
        if step.ended:
            step.ended_at_ms = event.at_ms


def _note_of(execution: ExecutionView) -> str:
    """Why it stands where it stands, as far as the store says."""
    if execution.failure:
        return execution.failure.message
    waits = execution.approval == ApprovalStatus.REQUESTED and not execution.ended
    if waits or execution.ended or not execution.awaits_approval:
        return _FOR_APPROVAL if waits else execution.stop_reason
    return f"waits for: {', '.join(execution.awaits_approval)}{_AT_A_GATE}"


def _words(data: Mapping[str, Any]) -> str:
    """Why, as far as the event says."""
    failure = data.get("failure")
    if isinstance(failure, Mapping):
        return str(failure.get("message", ""))
    return str(data.get("reason", ""))


def _waiting_for(data: Mapping[str, Any]) -> str:
    """What a step that holds no agent waits for, as far as its command said it."""
    output = data.get("output")
    told = output if isinstance(output, Mapping) else {}
    return str(told.get("waiting_for") or told.get("reason") or "")


def _nothing(_data: Mapping[str, Any]) -> str:
    return ""


def _earlier(attempt: int, why: str) -> str:
    return f"attempt {attempt}: {why}" if why else f"attempt {attempt}"


_FOR_APPROVAL: Final = "waits for approval"
_AT_A_GATE: Final = " (approval)"
_EXECUTION: Final[Mapping[str, str]] = {
    "started": ExecutionStatus.RUNNING,
    "continued": ExecutionStatus.RUNNING,
    "resumed": ExecutionStatus.RUNNING,
    **{
        status.value: status
        for status in ExecutionStatus
        if status not in (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)
    },
}
_STEP: Final[Mapping[str, str]] = {
    "scheduled": StepStatus.SCHEDULED,
    "started": StepStatus.RUNNING,
    "deferred": StepStatus.WAITING,
    **{
        status.value: status
        for status in StepStatus
        if status not in (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING)
    },
}
_NOTES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "started": _nothing,
    "completed": _nothing,
    "deferred": _waiting_for,
}
