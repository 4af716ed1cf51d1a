"""The program of a template as a forecast runs it: the same graph and rules, without outputs.

* What is checked of an output (`validation_checks`, `success_criteria`) is part of how often a step
  fails, and is not checked again.
* A condition is evaluated if all it needs is known before anything runs, or is known of the state
  (a status). One that needs an output, or what people or signals bring, is drawn.
* Parameters are not rendered, but for those that can be seen to fail whenever they are.
* A gate asks for one answer, which stands for all that it needs; how long it takes is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol

from shared.workflow.approval_rule import Approval
from shared.workflow.definition import Step
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Compiled, Rendered, Scope
from shared.workflow.gate_state import SIMPLE
from shared.workflow.program import CompiledStep, Program
from shared.workflow.way_back_program import NO_WAY_BACK

_NO_SCOPE: Final = Scope({})
_FIXED_ROOTS: Final = ("params", "execution")


class Oracle(Protocol):
    """Answers for the run at hand what nobody can know."""

    def holds(self, step: str, place: int) -> bool:
        """Whether condition number `place` of a step holds."""
        ...

    def round_ends(self, step: str) -> bool:
        """Whether what `until` waits for holds now."""
        ...

    def instances(self, step: str) -> int:
        """How many items the step's list has."""
        ...


class Assumed(Compiled):
    """An expression that is evaluated where what it needs is known; elsewhere `answer` is asked.

    `depends`: on what: `fixed` before anything runs, on the `state`, or on what is `unknown`.
    """

    __slots__ = ("_answer", "_fixed", "_real", "_unknown", "depends")

    def __init__(self, real: Compiled, given: Collection[str], answer: Callable[[], Any]) -> None:
        self.source, self.needs, self.numeric = real.source, real.needs, real.numeric
        self._real = real
        self._answer = answer
        self._fixed: list[Any] = []
        self._unknown = frozenset(name for name in real.needs if _is_unknown(name, given))
        self.depends = "unknown" if self._unknown else _depends(real)

    def evaluate(self, data: Mapping[str, Any]) -> Any:
        """The value; raises `ExpressionError` where the real one would on what is known."""
        if self.depends == "fixed" and self._fixed:
            return self._fixed[0]
        if self.depends == "unknown":
            return self._short_cut(data)
        value = self._real.evaluate(data)
        self._fixed[:] = [value]
        return value

    def _short_cut(self, data: Mapping[str, Any]) -> Any:
        """What is known may be enough: `false && …` is false."""
        known = {name: value for name, value in data.items() if name not in self._unknown}
        try:
            return self._real.evaluate(known)
        except ExpressionError:
            return self._answer()


class Fixed(Rendered):
    """A value that is not rendered."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        super().__init__(None, _NO_SCOPE)
        self._value = value

    def render(self, data: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the base names it
        """The value."""
        return self._value

    def known(self, data: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the base names it
        """The value."""
        return self._value


def assumed(program: Program, oracle: Oracle, parameters: Mapping[str, Any]) -> Program:
    """The program as a forecast for these parameters runs it."""
    policies = program.template.policies
    changes = {"approval": _plain_rule(policies.approval)} if policies.approval else {}
    template = program.template
    if changes:
        template = template.model_copy(update={"policies": policies.model_copy(update=changes)})
    return Program(
        template=template,
        graph=program.graph,
        steps={n: _step(one, oracle, parameters) for n, one in program.steps.items()},
        outputs=Fixed({}),
        concurrency=Fixed("key") if program.concurrency is not None else None,
    )


def is_drawn(compiled: Compiled | None) -> bool:
    """True for a condition of an assumed program that needs what nobody can know before a run."""
    return isinstance(compiled, Assumed) and compiled.depends == "unknown"


def drawn_conditions(program: Program, given: Collection[str]) -> list[str]:
    """The steps of which a condition needs what is not known before the run."""
    return [
        name
        for name, one in program.steps.items()
        if _draws((one.when, one.until, *one.cases), given)
    ]


def drawn_lists(program: Program, given: Collection[str]) -> list[str]:
    """The steps of which nobody knows before the run for how many items they run."""
    return [name for name, one in program.steps.items() if _draws((one.items,), given)]


def _draws(found: Iterable[Compiled | None], given: Collection[str]) -> bool:
    needs = (need for one in found if one is not None for need in one.needs)
    return any(_is_unknown(need, given) for need in needs)


def selects_by_unknown(selector: Compiled | None, given: Collection[str]) -> bool:
    """True where which agents a fleet runs on depends on what is not known before the run."""
    names = selector.needs if selector is not None else ()
    return any(_is_unknown(name, given) for name in names if _root(name) != "agent")


def _step(compiled: CompiledStep, oracle: Oracle, parameters: Mapping[str, Any]) -> CompiledStep:
    name = compiled.step.id
    when, items, until = compiled.when, compiled.items, compiled.until
    return replace(
        compiled,
        step=_without_rules(compiled.step),
        when=Assumed(when, parameters, lambda: oracle.holds(name, 0)) if when else None,
        parameters=_parameters(compiled.parameters, parameters),
        host=Fixed(None),
        checks=(),
        criteria=(),
        cases=tuple(
            Assumed(case, parameters, partial(oracle.holds, name, place))
            for place, case in enumerate(compiled.cases, 1)
        ),
        accepts=(None,) * len(compiled.accepts),
        items=Assumed(items, parameters, lambda: [None] * oracle.instances(name))
        if items
        else None,
        until=Assumed(until, parameters, lambda: oracle.round_ends(name)) if until else None,
        concurrency=Fixed(f"key-{name}") if compiled.concurrency is not None else None,
        way_back=NO_WAY_BACK,
    )


def _parameters(real: Rendered, parameters: Mapping[str, Any]) -> Rendered:
    """Nothing, unless rendering them fails for the parameters of this run."""
    if not real.needs or any(_field(name) not in parameters for name in real.needs):
        return Fixed({})
    data = {name: parameters[_field(name)] for name in real.needs}
    try:
        real.render(data)
    except ExpressionError:
        return real
    return Fixed({})


def _without_rules(step: Step) -> Step:
    """The step, with each of its gates asking for one answer."""
    changes: dict[str, Any] = {}
    if step.approval is not None:
        changes["approval"] = _plain_rule(step.approval)
    target = step.target
    if target.approve_after_canary is not None or target.approve_between is not None:
        rules = {
            field: _plain_rule(getattr(target, field))
            for field in ("approve_after_canary", "approve_between")
            if getattr(target, field) is not None
        }
        changes["target"] = target.model_copy(update=rules)
    if step.wait_for is not None and step.wait_for.approval is not None:
        options = tuple(
            option.model_copy(update={"approval": _plain_rule(option.approval)})
            if option.approval is not None
            else option
            for option in step.wait_for.options
        )
        changes["wait_for"] = step.wait_for.model_copy(update={"options": options})
    return step.model_copy(update=changes) if changes else step


def _plain_rule(rule: Approval) -> Approval:
    """One answer of anybody, within the time that the rule gives in all."""
    expires_s = rule.expires_after_s
    if expires_s is not None and rule.on_expiry == "escalate":
        expires_s *= 2
    return SIMPLE.model_copy(update={"expires_after_s": expires_s, "quorum": 1})


def _depends(compiled: Compiled) -> str:
    fixed = all(_root(name) in _FIXED_ROOTS for name in compiled.needs)
    return "fixed" if fixed else "state"


def _is_unknown(name: str, given: Collection[str]) -> bool:
    """Outputs, what people fill in, what signals bring, items of lists that may be unknown, and
    parameters that are not `given`."""
    root, _, rest = name.partition(".")
    if root == "steps":
        return rest.partition(".")[2].partition(".")[0] == "output"
    if root == "params":
        return rest not in given
    return root not in ("execution", "failure")


def _root(name: str) -> str:
    return name.partition(".")[0]


def _field(name: str) -> str:
    """The parameter that a variable stands for; of any other variable what no parameter is."""
    root, _, rest = name.partition(".")
    return rest if root == "params" else ""
