"""What is found of the templates that a definition calls, at any depth.

A sub-workflow is a part of the run that calls it: what keeps it from running keeps the run from
ending well, and is better known before anything has begun. Each is looked at on the level of its
own policy, by static rules, without the parameters that only its call makes known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.validation.finding import Report
from shared.validation.rule import Found, Rule
from shared.validation.rules.calls import CALLED_RULE
from shared.validation.subject import Subject, subject_of_template
from shared.validation.validate import judged, validate

_TOLD = 3


@dataclass(frozen=True, slots=True)
class CalledReport:
    """A template that is called, and what was found of it; `path` is the step of the topmost
    definition below which that is."""

    path: str
    subject: Subject
    report: Report


def called_reports(subject: Subject) -> tuple[CalledReport, ...]:
    """Of each template that is called, as far as it is stored, once."""
    found: dict[tuple[str, str], CalledReport] = {}
    for path, step in subject.steps:
        waiting = [_key(step.workflow.template, step.workflow.version)] if step.workflow else []
        while waiting:
            key = waiting.pop()
            template = subject.called.get(key)
            if template is None or key in found:
                continue
            called = subject_of_template(template, subject.registry, config=subject.config)
            report = validate(called, template.policies.validation.level)
            found[key] = CalledReport(f"{path}/workflow", called, report)
            waiting += [
                _key(one.workflow.template, one.workflow.version)
                for one in template.every_step
                if one.workflow is not None
            ]
    return tuple(found.values())


def with_called(subject: Subject, report: Report, called: Sequence[CalledReport]) -> Report:
    """The report of a definition, with what keeps a template from running that it calls."""
    raw = list(_problems(called))
    return report.plus(judged(subject, raw, subject.config)) if raw else report


def _problems(called: Sequence[CalledReport]) -> Iterator[tuple[Rule, Found]]:
    for one in called:
        template = one.subject.template
        if template is None or one.report.passed:
            continue
        errors = one.report.of_severity("error")
        named = "; ".join(f"{e.code} at {e.path}: {e.message}" for e in errors[:_TOLD])
        more = f"; and {len(errors) - _TOLD} more" if len(errors) > _TOLD else ""
        name = f"{template.id}@{template.version}"
        message = f"{name} is refused by validation at level {one.report.level}: {named}{more}"
        fix = f"store a version of {template.id} that passes, and call that"
        yield CALLED_RULE, Found(one.path, message[:1_000], fix)


def _key(name: str, version: str) -> tuple[str, str]:
    return name, version
