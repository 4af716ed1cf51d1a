"""A finding of validation, and a report of all of them.

A finding says where (`path` in the definition, `line` and `column` where it came as text), what is
wrong, why it matters and what to do. Where a machine can do it, `patch` holds the operations of a
JSON Patch (RFC 6902) on the definition; applied all together they make the finding go away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.validation_policy import FindingCode, Level

Severity = Literal["error", "warning", "info"]
"""`error`: it must not run so; `warning`: it can, and somebody will regret it; `info`: worth
knowing."""

About = Literal["definition", "run", "system"]
"""What a path leads into: the definition, the parameters of this run (`parameters/…`), or nothing:
the finding is about what there is (agents, approvers, the network)."""

LEVELS: Final[tuple[Level, ...]] = ("basic", "standard", "strict", "paranoid")
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


def includes(level: Level, other: Level) -> bool:
    """Whether a validation at `level` looks at what belongs to level `other`."""
    return LEVELS.index(other) <= LEVELS.index(level)


class PatchOperation(BaseModel):
    """One operation of a JSON Patch; `path` is a JSON Pointer such as `/steps/2/timeout_s`. `from`
    goes with `move`, `value` with `add` and `replace`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    op: Literal["add", "remove", "replace", "move"]
    path: str
    value: Any = None
    source: str = Field("", alias="from")


class Finding(BaseModel):
    """One thing that a rule found. `suppressed` is the reason for which it does not count."""

    model_config = ConfigDict(frozen=True)

    code: FindingCode
    severity: Severity
    level: Level = Field(description="The level to which its rule belongs.")
    path: str = Field("", description="Where, such as `steps/2/when`; empty: as a whole.")
    line: int = Field(0, description="From 1; 0 where the definition did not come as text.")
    column: int = Field(0, description="From 1; 0 where the definition did not come as text.")
    message: str
    why: str = ""
    fix: str = ""
    patch: tuple[PatchOperation, ...] = Field((), description="A JSON Patch that mends it.")
    about: About = "definition"
    suppressed: str = ""


class Counts(BaseModel):
    """How many findings there are, those that are suppressed apart."""

    model_config = ConfigDict(frozen=True)

    error: int = 0
    warning: int = 0
    info: int = 0
    suppressed: int = 0


class Report(BaseModel):
    """What a validation found, worst first within a place. `passed`: nothing is an error."""

    model_config = ConfigDict(frozen=True)

    level: Level
    passed: bool
    counts: Counts
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, level: Level, findings: Iterable[Finding]) -> Report:
        """A report of these findings, in the order of the definition."""
        kept = tuple(sorted(findings, key=_order))
        many = Counter("suppressed" if f.suppressed else f.severity for f in kept)
        counts = Counts(**many)
        return cls(level=level, passed=counts.error == 0, counts=counts, findings=kept)

    def plus(self, findings: Iterable[Finding]) -> Report:
        """This report with more findings."""
        return Report.of(self.level, (*self.findings, *findings))

    def of_severity(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity that are not suppressed."""
        return tuple(f for f in self.findings if f.severity == severity and not f.suppressed)


def _order(finding: Finding) -> tuple[object, ...]:
    parts = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in finding.path.split("/")
    )
    severity = SEVERITIES.index(finding.severity)
    return (finding.line, finding.column, parts, severity, finding.code, finding.message)
