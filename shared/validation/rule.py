"""A rule: what it looks for, why, and an example of each side, as data that the pages are made of.

Rules stand in the tables of `shared.validation.rules`. A check is a pure function over a subject; a
rule without one is checked elsewhere, on the live system or by simulation, and is documented, set
and suppressed like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.validation.finding import About, Finding, PatchOperation, Severity
from shared.workflow.validation_policy import Level

if TYPE_CHECKING:
    from shared.validation.subject import Subject


@dataclass(frozen=True, slots=True)
class Found:
    """What a check yields: where and what; the rest of a finding comes from its rule.

    `severity`, where given, is weaker or stronger than the rule's own. `place` is a line and column
    from 1, where the check knows better than the path does.
    """

    path: str
    message: str
    fix: str = ""
    patch: tuple[PatchOperation, ...] = ()
    about: About = "definition"
    severity: Severity | None = None
    place: tuple[int, int] | None = None


Check = Callable[["Subject"], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Example:
    """A definition as YAML, and parameters of a run where the rule looks at those."""

    text: str
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `binding`: what it finds can never run, so it cannot be turned off or suppressed.

    `summary` is one line, `why` some sentences; `bad` raises the finding and `good` does not.
    """

    code: str
    level: Level
    severity: Severity
    summary: str
    why: str
    check: Check | None = None
    bad: Example | None = None
    good: Example | None = None
    binding: bool = False
    tags: tuple[str, ...] = field(default=())

    def finding(
        self, found: Found, place: tuple[int, int] = (0, 0), severity: Severity | None = None
    ) -> Finding:
        """The finding that something found becomes; `severity` is what a setting says."""
        line, column = found.place or place
        return Finding(
            code=self.code,
            severity=severity or found.severity or self.severity,
            level=self.level,
            path=found.path,
            line=line,
            column=column,
            message=found.message,
            why=self.why,
            fix=found.fix,
            patch=found.patch,
            about=found.about,
        )
