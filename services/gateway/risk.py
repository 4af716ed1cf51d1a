"""The risk gate of this gateway: rules of the installation, and what they and a template's own say
of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway import problems
from shared.contracts.api.problems import FieldProblem
from shared.contracts.forecasts import Forecast
from shared.outcomes.predicting import at_level, chance_of
from shared.outcomes.views import TemplateView
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

LEARNED_RUNS: Final = 20
"""Earlier runs of a template from which on they predict the next one."""
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


@dataclass(frozen=True, slots=True)
class Expected:
    """What is predicted of a run: the share of such runs that fails, and the seconds that nine of
    ten take at most."""

    failure: float
    duration_s: float = 0.0

    @classmethod
    def of_forecast(cls, forecast: Forecast) -> Expected:
        """As many simulated runs came out."""
        return cls(round(1 - forecast.success.probability, 6), forecast.duration_s.p90)

    @classmethod
    def learned(cls, known: TemplateView, parameters: Mapping[str, Any]) -> Expected | None:
        """As earlier runs of the template say; None where they are too few to say much."""
        if known.runs < LEARNED_RUNS:
            return None
        chance, _ = chance_of(known, parameters)
        return cls(round(1 - chance.probability, 6), at_level(known.durations_s, 0.9) or 0.0)


class RiskGate:
    """Decides about runs."""

    def __init__(self, installation: Rules = NO_GATE) -> None:
        self._installation = installation

    def verdict(
        self,
        subject: Subject,
        report: Report,
        expected: Expected | None,
        called: Sequence[CalledReport] = (),
    ) -> RiskVerdict | None:
        """What is kept of a run that may go, if there is anything worth keeping. Raises 422 for one
        that is refused, naming the rule."""
        decision = self._with_called(self._decide(subject, report, expected), called)
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
            failure=expected.failure if expected is not None else None,
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

    def has_rules(self, subject: Subject) -> bool:
        """True where there is anything to decide by."""
        return bool(self._gates(subject))

    def _gates(self, subject: Subject) -> list[Rules]:
        own = subject.program.risk_gate if subject.program is not None else None
        return [one for one in (own, self._installation) if one is not None and one.rules]

    def _decide(self, subject: Subject, report: Report, expected: Expected | None) -> Decision:
        gates = self._gates(subject)
        if not gates:
            return Decision()
        failure = expected.failure if expected is not None else None
        duration_s = expected.duration_s if expected is not None else 0.0
        return decide_gate(gates, facts_of(subject, report, failure, duration_s))


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
