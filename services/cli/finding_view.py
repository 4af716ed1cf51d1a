"""Findings as text: where, what, the line of the source with a mark under it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from shared.validation.finding import Finding, Report, Severity

_COLOURS: Final = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_LINE_LIMIT: Final = 140
"""Longest line of the source that is shown, in characters."""


def findings_text(name: str, report: Report, source: str | None) -> Iterator[Text]:
    """The findings of one definition, those that are suppressed last and in short."""
    lines = source.splitlines() if source is not None else ()
    for finding in report.findings:
        if not finding.suppressed:
            yield _finding(name, finding, lines)
    for finding in report.findings:
        if finding.suppressed:
            where = _where(name, finding)
            yield Text(f"{where}  suppressed  {finding.code}: {finding.suppressed}", style="dim")


def summary_text(name: str, report: Report) -> Text:
    """One line about the whole."""
    counts = report.counts
    parts = [
        _counted(counts.error, "error"),
        _counted(counts.warning, "warning"),
        _counted(counts.info, "note"),
    ]
    told = ", ".join(part for part in parts if part) or "nothing found"
    extra = f", {counts.suppressed} suppressed" if counts.suppressed else ""
    sign, colour = ("✓", "green") if report.passed else ("✗", "red")
    return Text.assemble((sign, colour), f" {name}: {told}{extra} (level {report.level})")


def worst(report: Report) -> Severity | None:
    """The worst severity of what counts."""
    counts = report.counts
    if counts.error:
        return "error"
    if counts.warning:
        return "warning"
    return "info" if counts.info else None


def _finding(name: str, finding: Finding, lines: Sequence[str]) -> Text:
    colour = _COLOURS[finding.severity]
    text = Text.assemble(
        (_where(name, finding), "bold"), "  ", (finding.severity, colour), f"  {finding.code}\n",
        f"  {finding.message}",
    )  # fmt: skip
    if not finding.line and finding.path:
        text.append(f"\n  at    {finding.path}", style="dim")
    for part in _source(finding, lines):
        text.append_text(part)
    if finding.fix:
        machine = "  (--fix does it)" if finding.patch else ""
        text.append("\n  fix   ", style="green")
        text.append(f"{finding.fix}")
        text.append(machine, style="dim")
    text.append("\n")
    return text


def _where(name: str, finding: Finding) -> str:
    return f"{name}:{finding.line}:{finding.column}" if finding.line else name


def _source(finding: Finding, lines: Sequence[str]) -> Iterable[Text]:
    """The line of the source, and a mark under the column."""
    if not 0 < finding.line <= len(lines):
        return
    line = lines[finding.line - 1]
    first = max(0, finding.column - 1 - _LINE_LIMIT // 2)
    shown = line[first : first + _LINE_LIMIT].replace("\t", " ")
    number = f"{finding.line:>6} │ "
    margin = " " * 6 + " │ "
    yield Text(f"\n{number}", style="dim")
    yield Text(shown)
    yield Text(f"\n{margin}", style="dim")
    yield Text(" " * max(0, finding.column - 1 - first) + "^", style=_COLOURS[finding.severity])


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}" if number else ""
