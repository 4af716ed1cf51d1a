"""The tree of errors of the pure core, by what the caller must do about each.

WorkflowError
├── DefinitionError        bad input: tell the author which field and what to do
├── ParameterError         bad input: tell the person who started the run
├── ExpressionError        one expression failed on real data: the step fails with it
└── CorruptStateError           the execution is quarantined, its partition goes on
    ├── UndefinedTransitionError
    └── DivergenceError
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Problem(BaseModel):
    """One thing that is wrong with a definition or with parameters.

    `path` is a JSON-Pointer-like path (`steps/2/when`), `code` a stable identifier,
    `fix` says what to do about it.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    code: str
    message: str
    fix: str = ""


class WorkflowError(Exception):
    """Base of everything the core raises."""


class DefinitionError(WorkflowError):
    """The template cannot become a program; `problems` lists every reason found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in self.problems))


class ParameterError(WorkflowError):
    """The parameters of a run do not fit the template; `problems` lists every reason."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in self.problems))


class ExpressionError(WorkflowError):
    """An expression could not be compiled, or failed on the data it was given."""

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{reason} (in `{source}`)")


class CorruptStateError(WorkflowError):
    """State and message cannot belong together; the execution must be quarantined."""


class UndefinedTransitionError(CorruptStateError):
    """A machine's table has no entry for this status and event."""

    def __init__(self, machine: str, status: str, event: str) -> None:
        self.machine = machine
        self.status = status
        self.event = event
        super().__init__(f"{machine}: no transition from {status!r} on {event!r}")


def present(value: T | None, what: str) -> T:
    """What must be there; without it state and program do not belong together."""
    if value is None:
        raise CorruptStateError(f"there is no {what}")
    return value


class DivergenceError(CorruptStateError):
    """Replaying a history decided something else than what was recorded."""

    def __init__(self, seq: int, recorded: str, decided: str) -> None:
        self.seq = seq
        self.recorded = recorded
        self.decided = decided
        super().__init__(f"at journal sequence {seq}: recorded {recorded}, decided {decided}")
