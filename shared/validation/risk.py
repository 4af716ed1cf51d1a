"""What the risk gate is told of a run: its report, and what its steps change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from shared.commands.spec import Effects
from shared.validation.finding import Report
from shared.validation.rules.ways_back import effects, keeps_by_itself, only_reads
from shared.validation.subject import Subject, Use
from shared.workflow.risk_gate import Facts

Way = Literal["irreversible", "reversible", "unprotected"]


def facts_of(
    subject: Subject, report: Report, failure: float | None = None, duration_s: float = 0.0
) -> Facts:
    """The facts of a run; `failure` and `duration_s` as they were predicted, if they were."""
    ways = [way for _, way in ways_back(subject)]
    return Facts(
        level=report.level,
        findings=tuple(
            {"code": found.code, "severity": found.severity, "path": found.path}
            for found in report.findings
            if not found.suppressed
        ),
        failure=failure,
        duration_s=duration_s,
        irreversible=ways.count("irreversible"),
        reversible=ways.count("reversible"),
        unprotected=ways.count("unprotected"),
    )


def ways_back(subject: Subject) -> Iterator[tuple[str, Way]]:
    """Each step that changes something, by its id, and whether that can be undone."""
    for use in subject.uses:
        if use.role == "step":
            way = _way_of(subject, use)
            if way is not None:
                yield use.step.id, way


def _way_of(subject: Subject, use: Use) -> Way | None:
    step = use.step
    if step.irreversible:
        return "irreversible"
    if effects(subject, use) is Effects.NONE or only_reads(use):
        return None
    kept = step.rollback is not None or step.capture is not None or keeps_by_itself(subject, use)
    return "reversible" if kept else "unprotected"
