"""Every rule does what its page says: its bad example raises it, its good one raises nothing."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from shared.commands.registry import BUILTIN, CommandRegistry
from shared.commands.spec import CommandSpec, Effects
from shared.validation import patches
from shared.validation.finding import Report
from shared.validation.rule import Example, Rule
from shared.validation.rules import BY_CODE, RULES
from shared.validation.subject import Subject, subject_of_data, subject_of_text
from shared.validation.validate import validate
from shared.workflow.definition import Template


class Nothing(BaseModel):
    """Takes nothing, returns nothing."""


OLD = CommandSpec.of(
    name="old-probe",
    summary="Probes, as it was done once.",
    parameters=Nothing,
    output=Nothing,
    effects=Effects.NONE,
    deprecated="noop",
)
COMMANDS = CommandRegistry([*BUILTIN, OLD])
STORED = Template.model_validate(
    {
        "id": "restore_database",
        "name": "Restore a database",
        "parameters": {"dump": {"type": "string"}},
        "steps": [{"id": "restore", "command": "noop"}],
    }
)
CALLED = {("restore_database", "1.0.0"): STORED, ("restore_database", "9.9.9"): None}
SHOWN = [rule for rule in RULES if rule.bad is not None]


def subject_of(example: Example) -> Subject:
    return subject_of_text(example.text, COMMANDS, parameters=example.parameters, called=CALLED)


def report(example: Example) -> Report:
    return validate(subject_of(example), "strict")


def codes(found: Report) -> set[str]:
    return {finding.code for finding in found.findings}


def test_every_static_rule_has_examples() -> None:
    """A rule that is checked here shows both sides."""
    silent = [r.code for r in RULES if r.check is not None and not (r.bad and r.good)]
    assert silent == []


def test_codes_are_unique() -> None:
    """One code names one rule."""
    assert len(BY_CODE) == len(RULES)


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: rule.code)
def test_the_bad_example_raises_the_finding(rule: Rule) -> None:
    """What a page shows as bad is found, by this rule and no other."""
    assert rule.bad is not None
    found = report(rule.bad)
    assert codes(found) == {rule.code}
    assert all(f.severity == rule.severity or f.severity in ("warning", "info") for f in
               found.findings)  # fmt: skip


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: rule.code)
def test_the_good_example_is_clean(rule: Rule) -> None:
    """What a page shows as good raises nothing at all, up to strict."""
    assert rule.good is not None
    assert report(rule.good).findings == ()


@pytest.mark.parametrize("rule", SHOWN, ids=lambda rule: rule.code)
def test_a_patch_makes_its_finding_go_away(rule: Rule) -> None:
    """What can be mended by a machine is mended by its patch."""
    assert rule.bad is not None
    subject = subject_of(rule.bad)
    for finding in validate(subject, "strict").findings:
        if finding.patch:
            data = patches.apply(subject.document.value, finding.patch)
            again = validate(subject_of_data(data, COMMANDS, called=CALLED), "strict")
            assert (finding.code, finding.path) not in {(f.code, f.path) for f in again.findings}
