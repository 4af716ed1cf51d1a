"""Validation: on request, when a template is saved, and before an execution is accepted.

* Static rules are looked at in this process. What they say of a stored version is kept: a version
  never changes. Of a run only what follows from its parameters is left to look at.
* What only the live system can tell (`strict`, `paranoid`) the validator service is asked. Where
  none answers the request fails with 503: a level is never quietly lowered.
* Of a run the risk gate then decides: it goes, people must approve it, or it is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.gateway import problems
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from services.gateway.risk import Expected, RiskGate
from shared.contracts.api.problems import FieldProblem
from shared.contracts.api.validation import ValidateBody, ValidationReport
from shared.contracts.run_validation import RunToValidate
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.outcomes.views import TemplateView
from shared.ports.templates import StoredTemplate
from shared.ports.validator import ValidatorAwayError
from shared.validation.called import CalledReport, called_reports, with_called
from shared.validation.config import ValidationConfig
from shared.validation.finding import Finding, Report, includes
from shared.validation.rules.run import RUN_RULE, depends_on_run, run_problems
from shared.validation.subject import (
    Subject,
    subject_of_data,
    subject_of_template,
    subject_of_text,
)
from shared.validation.validate import judged, resettled, validate
from shared.workflow.definition import Template
from shared.workflow.errors import ParameterError
from shared.workflow.expressions import Rendered
from shared.workflow.messages import RunValidated
from shared.workflow.parameters import prepare_parameters
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.validation_policy import Level

MOST_CALLED: Final = 200
"""Most templates that are read because a definition calls them."""
MOST_KEPT: Final = 200
"""Stored versions whose reports are kept."""


MOST_TOLD: Final = 10
"""Errors that the refusal of a run names."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a stored version, and what of it depends on a run."""

    subject: Subject
    report: Report
    called: tuple[CalledReport, ...]
    of_run: tuple[tuple[str, str, Rendered], ...]


class Validating:
    """Raises 404 for a template that is not there, 422 for a run that is refused, 503."""

    def __init__(self, parts: Parts, config: ValidationConfig, gate: RiskGate) -> None:
        self._parts = parts
        self._config = config
        self._gate = gate
        self._kept: OrderedDict[tuple[str, str, Level], _Known] = OrderedDict()

    async def report(
        self, body: ValidateBody, stored: StoredTemplate | None, principal: Principal
    ) -> ValidationReport:
        """Everything that is found; `stored` is the template that the body names."""
        subject = await self._subject(body, stored)
        template = subject.template
        level: Level = body.level or "standard"
        if stored is not None and body.level is None:
            level = stored.template.policies.validation.level
        found = with_called(subject, validate(subject, level), called_reports(subject))
        live: ValidationAnswer | None = None
        if template is not None and subject.program is not None and _is_live(level):
            author = stored.created_by if stored is not None else principal.name
            given = _given(template, body)
            live = await self._look(template, level, given, principal.name, author)
            found = resettled(subject, found, live.findings)
        return ValidationReport(
            **dict(found),
            template_id=template.id if template is not None else "",
            template_version=template.version if template is not None else "",
            forecast=live.forecast if live is not None else None,
        )

    async def of_save(self, subject: Subject) -> Report:
        """What is found when a definition is saved; it knows the templates that are called."""
        return with_called(subject, validate(subject, "standard"), called_reports(subject))

    async def subject_of_text(self, text: str) -> Subject:
        """The subject of a template file, with the templates that it calls."""
        first = subject_of_text(text, self._parts.commands, config=self._config)
        return await self._with_called(first)

    async def subject_of_template(self, template: Template) -> Subject:
        """The same for a template."""
        first = subject_of_template(template, self._parts.commands, config=self._config)
        return await self._with_called(first)

    async def before_run(
        self, stored: StoredTemplate, parameters: Mapping[str, Any], requested_by: str
    ) -> RiskVerdict | None:
        """Look at a run at the level of the template's policy. Raises 422 when what is found, or
        the risk gate, keeps it from running; gives what is to be kept with it, and whether people
        must approve it. `parameters` are complete."""
        level = stored.template.policies.validation.level
        known, report = await self._static(stored, level, parameters)
        refuse_if_failed(stored.template, report)
        expected: Expected | None = None
        if not _is_live(level) and self._gate.has_rules(known.subject):
            expected = await self._learned(stored.template, parameters)
        if _is_live(level):
            live = await self._look(
                stored.template, level, dict(parameters), requested_by, stored.created_by
            )
            expected = Expected.of_forecast(live.forecast) if live.forecast is not None else None
            report = resettled(known.subject, report, live.findings)
            refuse_if_failed(stored.template, report)
        return self._gate.verdict(known.subject, report, expected, known.called)

    async def of_run(self, run: RunToValidate) -> RunValidated:
        """The same for a run that the engine asked for, when its time has come. Raises
        `ValidatorAwayError`."""
        stored = await self._parts.templates.find(run.template_id, run.template_version)
        if stored is None:
            name = f"{run.template_id}@{run.template_version}"
            return RunValidated(refused=f"there is no template {name}")
        try:
            verdict = await self.before_run(stored, run.parameters, run.requested_by)
        except problems.ProblemError as error:
            if isinstance(error.__cause__, ValidatorAwayError):
                raise error.__cause__ from None
            return RunValidated(refused=_in_words(error))
        return RunValidated(verdict=verdict)

    async def before_automation(
        self, stored: StoredTemplate, parameters: Mapping[str, Any]
    ) -> None:
        """What can be said now of runs that come later, by a schedule or an event: the static
        rules. Each run is looked at once more, on its whole level, when its time has come."""
        level = stored.template.policies.validation.level
        known, report = await self._static(stored, level, parameters)
        refuse_if_failed(stored.template, report)
        self._gate.of_automation(known.subject, report, known.called)

    async def before_rule(self, stored: StoredTemplate) -> None:
        """The same where the parameters come with each event: what holds whatever they are."""
        known = await self._known(stored, stored.template.policies.validation.level)
        refuse_if_failed(stored.template, known.report)
        self._gate.of_automation(known.subject, known.report, known.called)

    async def _learned(self, template: Template, parameters: Mapping[str, Any]) -> Expected | None:
        """What earlier runs say of this one, where no forecast does."""
        known = await self._parts.outcomes.get(TemplateView, template.id)
        return Expected.learned(known, parameters) if known is not None else None

    async def _static(
        self, stored: StoredTemplate, level: Level, parameters: Mapping[str, Any]
    ) -> tuple[_Known, Report]:
        """What static rules find of a stored version with these parameters."""
        known = await self._known(stored, level)
        of_run = [
            (RUN_RULE, found)
            for path, command, rendered in known.of_run
            for found in run_problems(self._parts.commands, path, command, rendered, parameters)
        ]
        if not of_run:
            return known, known.report
        return known, known.report.plus(judged(known.subject, of_run, self._config))

    async def _known(self, stored: StoredTemplate, level: Level) -> _Known:
        template = stored.template
        key = (template.id, template.version, level)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        subject = await self.subject_of_template(template)
        called = called_reports(subject)
        report = with_called(subject, validate(subject, level), called)
        known = _Known(subject, report, called, tuple(_of_run(subject)))
        if not _lacks_called(subject):  # what is stored later would be missing for ever
            self._kept[key] = known
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return known

    async def _subject(self, body: ValidateBody, stored: StoredTemplate | None) -> Subject:
        more: dict[str, Any] = {"config": self._config, "parameters": body.parameters}
        registry = self._parts.commands
        if stored is not None:
            return await self._with_called(subject_of_template(stored.template, registry, **more))
        if body.text is not None:
            return await self._with_called(subject_of_text(body.text, registry, **more))
        return await self._with_called(subject_of_data(body.definition, registry, **more))

    async def _with_called(self, subject: Subject) -> Subject:
        """The subject with the templates that it calls, and those that they call."""
        called: dict[tuple[str, str], Template | None] = {}
        open_ones = [subject.template] if subject.template is not None else []
        while open_ones and len(called) < MOST_CALLED:
            for step in open_ones.pop().every_step:
                if step.workflow is None:
                    continue
                key = (step.workflow.template, step.workflow.version)
                if key in called:
                    continue
                found = await self._parts.templates.find(*key)
                called[key] = found.template if found is not None else None
                if found is not None:
                    open_ones.append(found.template)
        return subject.with_called(called) if called else subject

    async def _look(
        self,
        template: Template,
        level: Level,
        parameters: dict[str, Any] | None,
        requested_by: str,
        author: str,
    ) -> ValidationAnswer:
        question = ValidationQuestion(
            template=template,
            level=level,
            parameters=parameters,
            requested_by=requested_by[:200],
            template_author=author[:200],
        )
        try:
            return await self._parts.validator.look(question)
        except ValidatorAwayError as error:
            raise problems.problem(
                "unavailable",
                f"Level {level} needs the validator service, and none answers ({error}). Start it "
                "(`hv up`), or ask for level standard.",
                headers={"Retry-After": str(problems.RETRY_AFTER_S)},
            ) from error


def refuse_if_failed(template: Template, report: Report) -> None:
    """Raises 422 with every error that keeps a run from being accepted."""
    if not report.passed:
        name = f"{template.id} {template.version}"
        count = report.counts.error
        raise problems.problem(
            "refused-by-validation",
            f"A run of {name} is refused by validation at level {report.level}: "
            f"{count} {'errors' if count > 1 else 'error'}; see errors. `hv validate "
            f"{template.id}` tells the whole.",
            errors=fields(report.of_severity("error")),
        )


def _in_words(error: problems.ProblemError) -> str:
    """Why a run is refused, with what was found and what to do about it."""
    lines = [
        f"{one.code} at {one.field}: {one.message}" + (f" ({one.fix})" if one.fix else "")
        for one in error.details.errors[:MOST_TOLD]
    ]
    more = len(error.details.errors) - len(lines)
    tail = [f"and {more} more"] if more > 0 else []
    return " · ".join([error.details.detail, *lines, *tail])[:4_000]


def fields(findings: tuple[Finding, ...]) -> list[FieldProblem]:
    """Findings as the fields of an answer."""
    return [
        FieldProblem(
            field=f.path or "definition",
            code=f.code,
            message=f"line {f.line}, column {f.column}: {f.message}" if f.line else f.message,
            fix=f.fix,
        )
        for f in findings
    ]


def _is_live(level: Level) -> bool:
    return includes(level, "strict")


def _given(template: Template, body: ValidateBody) -> dict[str, Any] | None:
    """The complete parameters of the run; none where they do not fit, which is found already."""
    if body.parameters is None:
        return None
    try:
        return prepare_parameters(template, body.parameters)
    except ParameterError:
        return None


def _lacks_called(subject: Subject) -> bool:
    return any(template is None for template in subject.called.values())


def _of_run(subject: Subject) -> list[tuple[str, str, Rendered]]:
    """The parameters of steps that follow, in part, from those of a run."""
    if subject.program is None:
        return []
    return [
        (path, step.command, rendered)
        for path, step in subject.steps
        if step.command in subject.registry and step.foreach is None
        for rendered in (subject.program.steps[step.id].parameters,)
        if depends_on_run(rendered)
    ]
