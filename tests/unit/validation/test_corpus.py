"""The corpus: what each broken definition raises and where, that the sound ones raise nothing, and
what patches make of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.stack.layout import REPO_ROOT
from shared.commands.registry import CommandRegistry
from shared.templates.document import TemplateFileError, parse
from shared.validation import patches
from shared.validation.finding import LEVELS, Finding, Report, includes
from shared.validation.fixing import mend
from shared.validation.rules import BY_CODE, RULES
from shared.validation.subject import subject_of_data, subject_of_text
from shared.validation.validate import validate
from shared.workflow.validation_policy import Level

CORPUS = REPO_ROOT / "tests" / "validation_corpus"
BROKEN = sorted((CORPUS / "broken").glob("*.yaml"))
SOUND = sorted((CORPUS / "sound").glob("*.yaml"))
COMMANDS = CommandRegistry.builtin()
_RAISES = re.compile(
    r"# raises: (?P<code>\S+) level=(?P<level>\S+) severity=(?P<severity>\S+) at=(?P<at>\S+) "
    r"line=(?P<line>\d+)"
)
ELSEWHERE = {
    "deprecated-command",  # no command of the product is
    "unknown-template",  # these four need other templates, or the parameters of a run
    "call-parameters",
    "missing-run-parameter",
    "unknown-run-parameter",
    "invalid-run-parameter",
    "refused-by-command",
}
"""Rules whose bad examples cannot be a file by itself; `test_rules.py` runs theirs."""


@dataclass(frozen=True)
class Expected:
    code: str
    level: str
    severity: str
    path: str
    line: int


def expected(text: str) -> set[Expected]:
    return {
        Expected(
            match["code"],
            match["level"],
            match["severity"],
            "" if match["at"] == "-" else match["at"],
            int(match["line"]),
        )
        for match in map(_RAISES.fullmatch, text.splitlines())
        if match is not None
    }


def looked_at(text: str, level: Level = "strict") -> Report:
    return validate(subject_of_text(text, COMMANDS), level)


def told(finding: Finding) -> Expected:
    return Expected(finding.code, finding.level, finding.severity, finding.path, finding.line)


def test_the_corpus_is_as_large_as_promised() -> None:
    """At least 120 broken definitions and 40 sound ones."""
    assert len(BROKEN) >= 120
    assert len(SOUND) >= 40


def test_every_static_rule_is_raised_by_the_corpus() -> None:
    """No rule stands without a definition that somebody could have written."""
    raised = {one.code for path in BROKEN for one in expected(path.read_text())}
    static = {rule.code for rule in RULES if rule.bad is not None}
    assert static - raised - ELSEWHERE == set()


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_definition_raises_what_it_says(path: Path) -> None:
    """Exactly these findings, at these places."""
    wanted = expected(path.read_text())
    assert wanted
    assert {told(finding) for finding in looked_at(path.read_text()).findings} == wanted


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_lower_levels_look_at_less(path: Path) -> None:
    """A finding is raised from the level of its rule on, and not below."""
    text = path.read_text()
    for level in LEVELS[:3]:
        wanted = {one for one in expected(text) if includes(level, BY_CODE[one.code].level)}
        assert {told(finding) for finding in looked_at(text, level).findings} == wanted


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_patch_makes_its_finding_go_away(path: Path) -> None:
    """Every patch fits the definition, and mends what it was made for."""
    subject = subject_of_text(path.read_text(), COMMANDS)
    for finding in validate(subject, "strict").findings:
        if finding.patch:
            data = patches.apply(subject.document.value, finding.patch)
            again = validate(subject_of_data(data, COMMANDS), "strict")
            left = {(f.code, f.path, f.message) for f in again.findings}
            assert (finding.code, finding.path, finding.message) not in left


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_mending_a_file_leaves_no_patch_and_nothing_worse(path: Path) -> None:
    """After `--fix` nothing is left that a machine can mend, a second time changes nothing, and a
    file that was a template still is one, with its comments."""
    text = path.read_text()
    before = looked_at(text)
    done = mend(text, COMMANDS, "strict")
    assert mend(done.text, COMMANDS, "strict").text == done.text
    if not done.mended:
        assert done.text == text
        return
    assert not done.rewritten
    assert done.text.startswith("# raises: ")
    parse(done.text)
    gone = {(f.code, f.path) for f in done.mended}
    assert gone & {(f.code, f.path) for f in before.findings}
    if subject_of_text(text, COMMANDS).program is not None:
        assert subject_of_text(done.text, COMMANDS).program is not None
        assert done.report.counts.error <= before.counts.error


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_a_sound_definition_raises_nothing(path: Path) -> None:
    """As YAML, as JSON text and as data, at every level."""
    text = path.read_text()
    data = parse(text).value
    for level in LEVELS[:3]:
        for subject in (
            subject_of_text(text, COMMANDS),
            subject_of_text(json.dumps(data, indent=2), COMMANDS),
            subject_of_data(data, COMMANDS),
        ):
            found = validate(subject, level)
            assert [f for f in found.findings if not f.suppressed] == []


def _is_readable(path: Path) -> bool:
    """Whether it is YAML at all: what is not cannot be written as JSON."""
    try:
        parse(path.read_text())
    except TemplateFileError:
        return False
    return True


READABLE = [path for path in BROKEN if _is_readable(path)]


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_json_text_has_places_too(path: Path) -> None:
    """The same findings in the same definition as JSON, each with a line of it."""
    data = parse(path.read_text()).value
    found = looked_at(json.dumps(data, indent=2))
    wanted = {(one.code, one.path) for one in expected(path.read_text())}
    assert {(f.code, f.path) for f in found.findings} == wanted
    assert all(f.line > 0 for f in found.findings)
