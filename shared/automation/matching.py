"""What a rule says about one event: whether it fits, its keys, the parameters it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel

from shared.automation.messages import Event
from shared.automation.specs import RuleSpec
from shared.workflow.errors import ExpressionError, Problem
from shared.workflow.expressions import Compiled, Rendered, Scope, as_text

_SCOPE: Final = Scope({"event": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
MAX_KEY: Final = 500


@lru_cache(maxsize=2_000)
def compiled(source: str) -> Compiled:
    """An expression over `event`. Raises `ExpressionError`."""
    return Compiled(source, _SCOPE)


def fits(spec: RuleSpec, event: Event) -> bool:
    """Whether an event is one that the rule is about. Raises `ExpressionError`."""
    if not any(fnmatchcase(event.type, pattern) for pattern in spec.events):
        return False
    return compiled(spec.when).test(seen_by(event))


def key_of(source: str, event: Event) -> str:
    """The value of an expression as a key. Raises `ExpressionError`."""
    return as_text(compiled(source).evaluate(seen_by(event)))[:MAX_KEY]


def parameters_of(spec: RuleSpec, event: Event) -> dict[str, Any]:
    """The parameters that an event leads to. Raises `ExpressionError`."""
    rendered: dict[str, Any] = Rendered(spec.parameters, _SCOPE).render(seen_by(event))
    return rendered


def spec_problems(spec: RuleSpec) -> list[Problem]:
    """What is wrong with the expressions of a rule."""
    sources = {"when": spec.when, "deduplicate/key": spec.deduplicate.key}
    if spec.debounce is not None:
        sources["debounce/key"] = spec.debounce.key
    found: list[Problem] = []
    for path, source in sources.items():
        try:
            known = compiled(source)
            if path == "when" and not known.is_boolean:
                raise ExpressionError(source, "must be true or false")
        except ExpressionError as error:
            found.append(_problem(path, error))
    for name, value in spec.parameters.items():
        try:
            Rendered(value, _SCOPE)
        except ExpressionError as error:
            found.append(_problem(f"parameters/{name}", error))
    return found


def seen_by(event: Event) -> Mapping[str, Any]:
    """What expressions see."""
    return {"event": event.model_dump(mode="json", exclude={"chain", "cause"})}


def _problem(path: str, error: ExpressionError) -> Problem:
    return Problem(
        path=path,
        code="invalid_expression",
        message=str(error)[:500],
        fix="write CEL over `event`, such as event.data.labels.severity == 'critical'",
    )
