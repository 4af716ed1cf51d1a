"""Mending a definition by the patches of its findings, one after the other.

A patch is applied, the definition is looked at again, and so on until no finding is left that a
machine can mend. A patch that does not make its finding go away, or brings a finding of severity
error, is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.commands.registry import CommandRegistry
from shared.templates.editing import Change, edit
from shared.validation import patches
from shared.validation.config import DEFAULT_CONFIG, ValidationConfig
from shared.validation.finding import Finding, PatchOperation, Report
from shared.validation.subject import Called, subject_of_text
from shared.validation.validate import validate
from shared.workflow.validation_policy import Level

MAX_FIXES: Final = 500
"""Most patches that are applied to one definition."""


@dataclass(frozen=True, slots=True)
class Mended:
    """The text after all patches, what they mended, and what is left. `rewritten`: the file had to
    be written anew, which loses its comments."""

    text: str
    mended: tuple[Finding, ...]
    report: Report
    rewritten: bool = False


@dataclass(frozen=True, slots=True)
class _State:
    """A definition as it was looked at. `depth`: it is no template, it is one, it is a program."""

    data: Any
    report: Report
    depth: int


def mend(
    text: str,
    registry: CommandRegistry,
    level: Level,
    config: ValidationConfig = DEFAULT_CONFIG,
    called: Called | None = None,
) -> Mended:
    """Apply every patch that helps."""
    mended: list[Finding] = []
    useless: set[tuple[str, str, str]] = set()
    rewritten = False

    def look(one: str) -> _State:
        subject = subject_of_text(one, registry, config=config, called=called or {})
        depth = (subject.template is not None) + (subject.program is not None)
        return _State(subject.document.value, validate(subject, level), depth)

    state = look(text)
    while len(mended) < MAX_FIXES:
        finding = next(
            (f for f in state.report.findings if _can(f) and _name(f) not in useless), None
        )
        if finding is None:
            break
        better, kept = _applied(text, state.data, finding)
        after = look(better)
        if better == text or not _helps(finding, state, after):
            useless.add(_name(finding))
            continue
        text, state = better, after
        mended.append(finding)
        rewritten = rewritten or not kept
    return Mended(text, tuple(mended), state.report, rewritten)


def _can(finding: Finding) -> bool:
    return bool(finding.patch) and not finding.suppressed


def _name(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.path, finding.message


def _helps(finding: Finding, before: _State, after: _State) -> bool:
    """A finding is gone, and no worse one is there; what can be read further may show more."""
    gone = _name(finding) not in {_name(f) for f in after.report.findings}
    better = after.report.counts.error <= before.report.counts.error
    return gone and (after.depth > before.depth or (after.depth == before.depth and better))


def _applied(text: str, data: Any, finding: Finding) -> tuple[str, bool]:
    try:
        wanted = patches.apply(data, finding.patch)
    except patches.PatchError:
        return text, True
    edited = edit(text, [_change(one) for one in finding.patch], wanted)
    return edited.text, edited.kept


def _change(operation: PatchOperation) -> Change:
    parts = tuple(patches.parts_of(operation.path))
    if operation.op == "move":
        source = tuple(patches.parts_of(operation.source))
        return Change("rename", source, parts[-1])
    return Change(operation.op, parts, operation.value)
