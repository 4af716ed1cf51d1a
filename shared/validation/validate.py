"""Validation: every rule of a level over a subject, with settings and suppressions applied."""

from __future__ import annotations

from collections.abc import Iterable

from shared.validation.config import DEFAULT_CONFIG, ValidationConfig
from shared.validation.finding import Finding, Report, includes
from shared.validation.rule import Found, Rule
from shared.validation.rules import BY_CODE, RULES, suppressions
from shared.validation.subject import Subject
from shared.workflow.validation_policy import Level, Suppression


def validate(subject: Subject, level: Level, config: ValidationConfig | None = None) -> Report:
    """What the rules of `level`, and of those below it, find; live ones are not among them.

    `config` is by default the one that the subject was made with.
    """
    config = config or subject.config
    raw = [
        (rule, found)
        for rule in RULES
        if rule.check is not None and includes(level, rule.level)
        for found in (() if is_off(rule, subject, config) else rule.check(subject))
    ]
    findings = judged(subject, raw, config)
    return Report.of(level, [*findings, *_about_suppressions(subject, findings, level, config)])


def judged(
    subject: Subject, raw: Iterable[tuple[Rule, Found]], config: ValidationConfig = DEFAULT_CONFIG
) -> list[Finding]:
    """What was found as findings, with what is set for the category and what is suppressed."""
    found = [
        rule.finding(one, subject.place(one), config.severity(subject.category, rule.code))
        if not rule.binding
        else rule.finding(one, subject.place(one))
        for rule, one in raw
        if not is_off(rule, subject, config)
    ]
    return [_suppressed(finding, subject.suppressions) for finding in found]


def resettled(subject: Subject, report: Report, live: Iterable[Finding]) -> Report:
    """A report with findings of the live system, with settings and suppressions applied to
    them."""
    kept = [
        one
        for finding in live
        if finding.code in BY_CODE and not is_off(BY_CODE[finding.code], subject, subject.config)
        for one in (_set(subject, finding),)
    ]
    return report.plus(kept)


def _set(subject: Subject, finding: Finding) -> Finding:
    severity = subject.config.severity(subject.category, finding.code)
    place = subject.document.place(finding.path) if finding.about == "definition" else (0, 0)
    update = {"line": place[0], "column": place[1], **({"severity": severity} if severity else {})}
    return _suppressed(finding.model_copy(update=update), subject.suppressions)


def is_off(rule: Rule, subject: Subject, config: ValidationConfig) -> bool:
    """Whether a rule is turned off for the subject's category."""
    return not rule.binding and config.setting(subject.category, rule.code) == "off"


def covers(suppression: Suppression, finding: Finding) -> bool:
    """Whether a suppression is about a finding."""
    at = suppression.at.strip("/")
    within = not at or finding.path == at or finding.path.startswith(f"{at}/")
    return suppression.code == finding.code and within


def _suppressed(finding: Finding, suppressions: Iterable[Suppression]) -> Finding:
    if BY_CODE[finding.code].binding:
        return finding
    reason = next((s.reason for s in suppressions if covers(s, finding)), "")
    return finding.model_copy(update={"suppressed": reason}) if reason else finding


def _about_suppressions(
    subject: Subject, findings: list[Finding], level: Level, config: ValidationConfig
) -> list[Finding]:
    """Suppressions that suppress nothing, of rules that were looked at."""
    raw: list[tuple[Rule, Found]] = []
    for index, one in enumerate(subject.suppressions):
        at = f"policies/validation/suppress/{index}"
        rule = BY_CODE.get(one.code)
        if rule is None:
            raw.append((suppressions.UNKNOWN_SUPPRESSION, suppressions.unknown(at, one)))
        elif _was_looked_at(rule, level) and not any(covers(one, f) for f in findings):
            raw.append((suppressions.UNUSED_SUPPRESSION, suppressions.unused(at, one)))
    return judged(subject, raw, config)


def _was_looked_at(rule: Rule, level: Level) -> bool:
    return rule.check is not None and includes(level, rule.level)
