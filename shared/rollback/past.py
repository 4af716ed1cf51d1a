"""What an execution did: its deeds, found in its state and in those of its sub-workflows.

A deed is what one step, or one instance of a loop or fleet, did on an agent. The law:

* What completed was done. What failed, was lost or was stopped midway may have been: `certain`
  tells the two apart. What never began on an agent was not.
* What a re-run kept is a deed of the execution in which it was run, and is undone with that one.
* What a person marked as completed was done, by whomever.
* What had begun to wait has run until then.
* A call is not a deed; what its sub-workflow did is, also what an earlier attempt of it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from shared.workflow.binding import base
from shared.workflow.machines.step import StepStatus
from shared.workflow.program import CompiledStep, Program
from shared.workflow.state import AttemptRecord, ExecutionState, StepState

NEVER_BEGAN: Final = frozenset(
    {
        "agent_shutdown",
        "capture_failed",
        "capture_too_large",
        "executable_not_found",
        "expression_error",
        "invalid_parameters",
        "no_agent",
        "refused_by_policy",
        "sealed",
        "secret_missing",
        "secret_refused",
        "secret_unusable",
        "start_too_late",
        "unknown_command",
    }
)
"""An attempt that failed so has changed nothing."""


_UNDER_WAY: Final = (StepStatus.RUNNING, StepStatus.WAITING, StepStatus.LOST, StepStatus.STOPPING)
"""Nothing is so once an execution has ended; until then this may have begun."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was kept on one agent before a step changed something: what its `capture` returned as
    `values`, and whether there is something that the command `restore` puts back."""

    agent: str
    values: Mapping[str, Any] | None = None
    restores: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """An execution, its program, what was captured in it, and the sub-workflows that its steps
    called, oldest first; both by step or instance."""

    program: Program
    state: ExecutionState
    children: Mapping[str, tuple[Ran, ...]] = field(default_factory=dict)
    captured: Mapping[str, Sequence[Snapshot]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step or an instance did. `key` is its path from the topmost execution, `group` that
    of all instances together; `units` are the steps on the way, each with its program's order."""

    key: str
    group: str
    top: str
    units: tuple[tuple[Program, str], ...]
    ran: Ran
    step_key: str
    agent: str
    certain: bool
    began_ms: int
    ended_ms: int

    @property
    def step(self) -> StepState:
        """The state of the step or instance."""
        return self.ran.state.steps[self.step_key]

    @property
    def compiled(self) -> CompiledStep:
        """Its program."""
        return self.ran.program.step(self.step_key)

    @property
    def captured(self) -> Mapping[str, Any] | None:
        """What the author's capture before its first attempt returned, on whichever agent."""
        found = (one.values for one in self._snapshots if one.values is not None)
        return next(found, None)

    @property
    def restores(self) -> bool:
        """Whether there is something on its agent that can be put back."""
        return any(one.restores and one.agent == self.agent for one in self._snapshots)

    @property
    def kept_nothing(self) -> bool:
        """Whether something was to be kept before it, and no attempt at it, on whichever agent, got
        so far: then none has begun to change anything."""
        return self.compiled.captures and not self._snapshots

    @property
    def _snapshots(self) -> Sequence[Snapshot]:
        return self.ran.captured.get(self.step_key, ())


def deeds(
    ran: Ran, path: str = "", group: str = "", units: tuple[tuple[Program, str], ...] = ()
) -> Iterator[Deed]:
    """Every deed of an execution and its sub-workflows, in no order."""
    for key, step in ran.state.steps.items():
        if step.kept_from:
            continue
        name = base(key)
        here = (*units, (ran.program, name))
        compiled = ran.program.step(key)
        if compiled.step.workflow is not None:
            called = ran.children.get(key, ())
            for number, child in enumerate(called, 1):
                again = f"#{number}" if number < len(called) else ""
                yield from deeds(child, f"{path}{key}{again}/", f"{group}{name}{again}/", here)
        elif compiled.step.command and (_is_one(step) or not _is_loop(compiled)):
            yield from _of_step(ran, key, path, group + name, here)


def _of_step(
    ran: Ran, key: str, path: str, group: str, units: tuple[tuple[Program, str], ...]
) -> Iterator[Deed]:
    """What a step did on its agent, and on those on which an earlier attempt of it was made and
    something was kept."""
    step = ran.state.steps[key]
    certain = _done(step)
    if certain is None:
        return
    agent = step.agent or step.ran_on
    deed = Deed(
        key=path + key,
        group=group,
        top=units[0][1],
        units=units,
        ran=ran,
        step_key=key,
        agent=agent,
        certain=certain,
        began_ms=step.begun_at_ms or step.started_at_ms or step.scheduled_at_ms,
        ended_ms=step.ended_at_ms,
    )
    yield deed
    if deed.compiled.step.rollback is None:
        for one in ran.captured.get(key, ()):
            if one.restores and one.agent != agent:
                elsewhere = f"{deed.key}@{one.agent}"
                yield replace(deed, key=elsewhere, agent=one.agent, certain=False)


def kept(ran: Ran) -> Iterator[tuple[str, str]]:
    """What a re-run kept, by step or instance, with the execution in which it was run."""
    for key, step in ran.state.steps.items():
        if step.kept_from:
            yield key, step.kept_from


def path_of(key: str) -> str:
    """The path of a step: without instances, earlier attempts at calls, and agents."""
    parts = key.partition("@")[0].split("/")
    return "/".join(base(part.partition("#")[0]) for part in parts)


def _is_loop(compiled: CompiledStep) -> bool:
    return compiled.step.foreach is not None or compiled.step.target.is_fleet


def _is_one(step: StepState) -> bool:
    """True for an instance."""
    return step.instance is not None


def _done(step: StepState) -> bool | None:
    """True where it was done, false where it may have been, `None` where it never began."""
    if step.mark is not None and step.mark.verdict == "completed":
        return True
    if step.status is StepStatus.COMPLETED:
        return True
    begun = step.status in _UNDER_WAY or step.leg > 0
    return False if begun or any(_may_have(one) for one in step.attempts) else None


def _may_have(attempt: AttemptRecord) -> bool:
    if attempt.outcome in ("completed", "lost"):
        return True
    if not attempt.agent:
        return False
    return attempt.failure is None or attempt.failure.code not in NEVER_BEGAN
