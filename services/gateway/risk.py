"""The risk gate of this gateway: rules of the installation, and what they and a template's own say
of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway import problems
from shared.contracts.api.problems import FieldProblem
from shared.contracts.forecasts import Forecast
from shared.templates.document import TemplateFileError
from shared.templates.loader import read_text
from shared.validation.called import CalledReport
from shared.validation.finding import Report, includes
from shared.validation.risk import facts_of
from shared.validation.subject import Subject
from shared.workflow.definition import Template
from shared.workflow.errors import ExpressionError
from shared.workflow.risk_gate import (
    STRICTER,
    Decision,
    Rules,
    compile_rules,
    decide_gate,
)
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.validating import is_looked_at_alone
from shared.workflow.validation_policy import GateRule

NO_GATE: Final = Rules("installation", (), ())


class GateFile(BaseModel):
    """Rules that decide about every run, whatever its template says; the stricter holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[GateRule, ...] = Field((), max_length=100)


class GateError(ValueError):
    """A file with rules of the risk gate that cannot be used; says what to mend."""


def load_gate(path: Path | None) -> Rules:
    """The rules in a file, none without one. Raises `GateError`."""
    if path is None:
        return NO_GATE
    try:
        data = yaml.safe_load(read_text(path))
        return compile_rules(
            GateFile.model_validate({} if data is None else data).rules, "installation"
        )
    except OSError as error:
        raise GateError(f"HIVE_RISK_GATE: {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise GateError(f"HIVE_RISK_GATE: {path}: {place}: {first['msg']}") from None
    except (ExpressionError, TemplateFileError, yaml.YAMLError) as error:
        raise GateError(f"HIVE_RISK_GATE: {path}: {error}") from None


class RiskGate:
    """Decides about runs."""

    def __init__(self, installation: Rules = NO_GATE) -> None:
        self._installation = installation

    def verdict(
        self,
        subject: Subject,
        report: Report,
        forecast: Forecast | None,
        called: Sequence[CalledReport] = (),
    ) -> RiskVerdict | None:
        """What is kept of a run that may go, if there is anything worth keeping. Raises 422 for one
        that is refused, naming the rule."""
        decision = self._with_called(self._decide(subject, report, forecast), called)
        if decision.choice == "refuse":
            raise _refused(subject.template, report, decision)
        if decision.choice == "run" and not includes(report.level, "strict"):
            return None
        return RiskVerdict(
            level=report.level,
            decision=decision.choice,
            by=decision.whose,
            rule=decision.rule,
            reason=decision.reason,
            approval=decision.approval,
            errors=report.counts.error,
            warnings=report.counts.warning,
            failure=_failure(forecast),
        )

    def of_automation(
        self, subject: Subject, report: Report, called: Sequence[CalledReport] = ()
    ) -> None:
        """The same for runs that come later: raises 422 for what would be refused each time. What
        people must approve they are asked when its time has come."""
        decision = self._with_called(self._decide(subject, report, None), called)
        if decision.choice == "refuse":
            raise _refused(subject.template, report, decision)

    def _with_called(self, decision: Decision, called: Sequence[CalledReport]) -> Decision:
        """The strictest of what is decided of a run and of what it calls. A call that is looked at
        by itself when it begins asks for its own approval then; a refusal counts at once."""
        for one in called:
            template = one.subject.template
            found = self._decide(one.subject, one.report, None)
            if template is None or STRICTER[found.choice] <= STRICTER[decision.choice]:
                continue
            if found.choice == "refuse" or not is_looked_at_alone(template.policies.validation):
                words = f"of {template.id}@{template.version}, which it calls"
                reason = f"{words}: {found.reason}" if found.reason else words
                decision = replace(found, reason=reason)
        return decision

    def _decide(self, subject: Subject, report: Report, forecast: Forecast | None) -> Decision:
        own = subject.program.risk_gate if subject.program is not None else None
        gates = [one for one in (own, self._installation) if one is not None and one.rules]
        if not gates:
            return Decision()
        duration_s = forecast.duration_s.p90 if forecast is not None else 0.0
        return decide_gate(gates, facts_of(subject, report, _failure(forecast), duration_s))


def _failure(forecast: Forecast | None) -> float | None:
    return round(1 - forecast.success.probability, 6) if forecast is not None else None


def _refused(
    template: Template | None, report: Report, decision: Decision
) -> problems.ProblemError:
    name = f"{template.id} {template.version}" if template is not None else "the template"
    whose = "its template" if decision.whose == "template" else "this installation"
    why = f": {decision.reason}" if decision.reason else ""
    fix = "`hv validate` tells the findings; mend them, or have the rule changed"
    what = "refuses it"
    return problems.problem(
        "refused-by-validation",
        f"A run of {name} does not pass the risk gate: the rule `{decision.rule}` of {whose} "
        f"{what}{why} (level {report.level}, {report.counts.error} errors, "
        f"{report.counts.warning} warnings).",
        errors=[
            FieldProblem(
                field="policies/validation/gate",
                code="risk-gate",
                message=f"`{decision.rule}` {what}{why}",
                fix=fix,
            )
        ],
    )
