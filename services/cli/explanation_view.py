"""An explanation on a terminal: the answer, what to type, then everything that was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.text import Text

from services.cli import rendering
from services.cli.advice import hv

if TYPE_CHECKING:
    from shared.contracts.api.explain import Explanation, Finding

_STYLES: Final = ("red", "yellow", "yellow", "cyan", "dim")


def explained(found: Explanation, indent: str = "") -> Iterator[Text]:
    """Its lines. What a child waits for stands below the step that called it."""
    head = Text.assemble(indent, rendering.sign(found.status), " ", (found.execution_id, "bold"))
    yield head.append("  ").append_text(rendering.status_text(found.status))
    yield Text(f"{indent}  {rendering.safe(found.answer)}", style="bold")
    yield Text(f"{indent}  try         {_command(found.action)}")
    for finding in found.findings:
        yield Text()
        yield from _finding(finding, found.at_ms, indent + "  ")
    if found.more:
        yield Text(f"\n{indent}  and {found.more} more; --json has all that are told")


def _finding(finding: Finding, now_ms: int, indent: str) -> Iterator[Text]:
    style = _STYLES[finding.severity]
    yield Text.assemble(indent, (finding.cause, style), "  ", rendering.safe(finding.says))
    inner = indent + "  "
    if finding.waits_for is not None:
        awaited = finding.waits_for
        by = f", told by {awaited.message}" if awaited.message else ""
        yield Text(f"{inner}waits for   {awaited.kind} {rendering.safe(awaited.name)}{by}")
    if finding.since_ms:
        elapsed = rendering.duration(max(0, now_ms - finding.since_ms))
        yield Text(f"{inner}since       {rendering.moment(finding.since_ms)} ({elapsed})")
    if finding.due_ms:
        yield Text(f"{inner}until       {rendering.moment(finding.due_ms)}")
    if finding.usual is not None:
        usual = finding.usual
        took = f"{rendering.duration(usual.median_ms)}, 95 % within "
        took += f"{rendering.duration(usual.p95_ms)} ({usual.runs} runs)"
        yield Text(f"{inner}usually     {took}")
    if finding.normally:
        yield Text(f"{inner}normally    {rendering.safe(finding.normally)}")
    yield Text(f"{inner}try         {_command(finding.action)}", style="dim")
    if finding.child is not None:
        yield from explained(finding.child, inner)


def _command(action: str) -> str:
    """As this person types it."""
    return hv(rendering.safe(action).removeprefix("hv "))
