"""The risk gate: what the findings about a run, and its forecast, lead to.

The law:

* Rules are looked at in order, and the first whose condition holds decides. Where none does, the
  run goes.
* A template's rules and those of the installation both decide; the stricter decision holds. So an
  author cannot weaken what the installation asks.
* A rule that cannot be evaluated refuses: what was meant to guard must not let pass by an error.
* Findings that are suppressed do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cel_expr_python import cel

from shared.workflow.approval_rule import Approval
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Compiled, Scope
from shared.workflow.validation_policy import GateRule, Level

Choice = Literal["run", "approve", "refuse"]
Whose = Literal["template", "installation"]

GATE_VARIABLES: Final[Mapping[str, cel.Type]] = {
    "level": cel.Type.STRING,
    "findings": cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.STRING)),
    "counts.error": cel.Type.INT,
    "counts.warning": cel.Type.INT,
    "counts.info": cel.Type.INT,
    "predicted.failure": cel.Type.DOUBLE,
    "predicted.known": cel.Type.BOOL,
    "predicted.duration_s": cel.Type.DOUBLE,
    "effects.irreversible": cel.Type.INT,
    "effects.reversible": cel.Type.INT,
    "effects.unprotected": cel.Type.INT,
}
"""What the condition of a rule may use."""

GATE_SCOPE: Final = Scope(GATE_VARIABLES)
STRICTER: Final[Mapping[Choice, int]] = {"run": 0, "approve": 1, "refuse": 2}
"""How strict each choice is."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run. `findings` have `code`, `severity` and `path`, suppressed ones left
    out; `failure` is the predicted share of runs that fail, None where nothing was predicted.
    Steps that change something: with no way back that is accepted (`irreversible`), with one
    (`reversible`), without a word (`unprotected`)."""

    level: Level
    findings: Sequence[Mapping[str, str]] = ()
    failure: float | None = None
    duration_s: float = 0.0
    irreversible: int = 0
    reversible: int = 0
    unprotected: int = 0

    def count(self, severity: str) -> int:
        """How many findings of a severity there are."""
        return sum(finding["severity"] == severity for finding in self.findings)

    def values(self) -> dict[str, Any]:
        """The values of the variables."""
        return {
            "level": self.level,
            "findings": [dict(finding) for finding in self.findings],
            "counts.error": self.count("error"),
            "counts.warning": self.count("warning"),
            "counts.info": self.count("info"),
            "predicted.failure": float(self.failure or 0.0),
            "predicted.known": self.failure is not None,
            "predicted.duration_s": float(self.duration_s),
            "effects.irreversible": self.irreversible,
            "effects.reversible": self.reversible,
            "effects.unprotected": self.unprotected,
        }


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules whose conditions are compiled."""

    whose: Whose
    rules: tuple[GateRule, ...]
    conditions: tuple[Compiled, ...]


NO_RULES: Final = Rules("template", (), ())


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a run, by whose rule (its condition), and why."""

    choice: Choice = "run"
    whose: Whose | Literal[""] = ""
    rule: str = ""
    reason: str = ""
    approval: Approval | None = field(default=None)


def compile_rules(rules: Iterable[GateRule], whose: Whose) -> Rules:
    """The rules, ready to decide; raises `ExpressionError` for a condition that cannot be."""
    kept = tuple(rules)
    conditions = tuple(Compiled(rule.when, GATE_SCOPE) for rule in kept)
    for condition in conditions:
        if not condition.is_boolean:
            raise ExpressionError(condition.source, "is not true or false")
    return Rules(whose, kept, conditions)


def decide_gate(all_rules: Iterable[Rules], facts: Facts) -> Decision:
    """The strictest of what each set of rules decides; of equal ones the first."""
    values = facts.values()
    decision = Decision()
    for rules in all_rules:
        found = _decided(rules, values)
        if STRICTER[found.choice] > STRICTER[decision.choice]:
            decision = found
    return decision


def _decided(rules: Rules, values: Mapping[str, Any]) -> Decision:
    for rule, condition in zip(rules.rules, rules.conditions, strict=True):
        try:
            holds = condition.test(values)
        except ExpressionError as error:
            words = f"the rule cannot be evaluated: {error}"
            return Decision("refuse", rules.whose, rule.when, words)
        if holds:
            approval = rule.approval if rule.then == "approve" else None
            return Decision(rule.then, rules.whose, rule.when, rule.reason, approval)
    return Decision()
