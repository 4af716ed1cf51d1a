"""How a template's control flow looks to rules: which steps may not run, and why.

A step certainly completed before another one starts, or it may not have: it has a condition, stands
on a branch, is a handler, may fail without stopping anything, or waits for such steps only.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.validation.subject import Subject
from shared.workflow.definition import Step
from shared.workflow.flow import targets

_TRUE = frozenset({"true", "(true)"})
_FALSE = frozenset({"false", "(false)"})


def constant(source: str | None) -> bool | None:
    """What a condition always is, where that can be seen."""
    text = "".join((source or "").split())
    return True if text in _TRUE else False if text in _FALSE else None


def sent_to(subject: Subject) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """By step, who sends to it, and by which field."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for _, step in subject.steps:
        for field, names in targets(step).items():
            for name in names:
                found[name] = (*found.get(name, ()), (step.id, field))
    return found


def may_not_complete(subject: Subject) -> dict[str, str]:
    """Steps that may not have completed when a later one starts, and why, in words."""
    if subject.program is None:
        return {}
    routes = subject.program.graph.routes
    reasons: dict[str, str] = {}
    for name in subject.program.graph.order:
        own = _own_reason(subject.step_of[name], sent=name in routes.senders)
        if own:
            reasons[name] = own
        elif name in routes.on_failure:
            reasons[name] = "runs only when the execution fails"
    for name, step in subject.step_of.items():
        for one in skipped_with(subject, name) if may_be_dead(subject, step) else ():
            reasons.setdefault(one, f"is skipped together with `{name}`")
    return reasons


def may_be_dead(subject: Subject, step: Step) -> bool:
    """Whether what depends on this step only is skipped when it is: it stands on a branch, or its
    condition has an `else`. After any other condition the execution goes on."""
    senders = subject.program.graph.routes.senders if subject.program is not None else {}
    return step.id in senders or (step.when is not None and bool(step.otherwise))


def skipped_with(subject: Subject, name: str) -> frozenset[str]:
    """The steps that certainly do not run when this one is on a branch that is not taken."""
    graph = subject.program.graph if subject.program is not None else None
    dead = {name}
    for one in graph.order if graph is not None else ():
        before = graph.dependencies[one] if graph is not None else ()
        senders = graph.routes.senders.get(one) if graph is not None else None
        if before and dead.issuperset(senders if senders is not None else before):
            dead.add(one)
    return frozenset(dead - {name})


def _own_reason(step: Step, *, sent: bool) -> str:
    if sent:
        return "is on a branch that may not be taken"
    if step.when is not None and constant(step.when) is not True:
        return "has a condition"
    if step.continue_on_failure:
        return "may fail while the execution goes on"
    if step.milestone is not None and step.milestone.until is not None:
        return "is skipped once its milestone has passed"
    return ""
