"""Late places: texts with a secret in them. Only the agent that runs the step can evaluate them.

The law:

* A secret's value never comes here. The coordinator leaves the text as its author wrote it, and
  adds the values of everything else that its expressions use.
* What is evaluated late is where the author wrote it, by place. A `${{ … }}` in a value that came
  from elsewhere (a parameter of the run, an output) is text like any other.
* Whatever an expression makes of a secret is as secret as that: `evaluate_late` names it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cel_expr_python import cel
from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.expressions import (
    SECRETS,
    Compiled,
    Place,
    Rendered,
    Scope,
    as_fractions,
    as_text,
    check_size,
    code_of,
    codes_in,
    split_text,
)

_SECRETS: Final = r"(?<![\w.)\]}])secrets\b"
_SECRET: Final = re.compile(rf"{_SECRETS}\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)")
_MENTION: Final = re.compile(rf"{_SECRETS}(?!\s*[(:])")


class LateParameters(BaseModel):
    """What an agent needs to evaluate the late places of a step's parameters.

    `names` are what the expressions use besides secrets; `values` has those of them that there are.
    """

    model_config = ConfigDict(frozen=True)

    places: tuple[tuple[str | int, ...], ...]
    secrets: tuple[str, ...]
    names: tuple[str, ...] = ()
    values: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A late text with its values. `secret` is what its expressions made of secrets."""

    value: Any
    secret: tuple[Any, ...]


def late_parameters(rendered: Rendered, data: Mapping[str, Any]) -> LateParameters | None:
    """What the late places of `rendered` need of `data`; raises `ExpressionError` if too large."""
    if not rendered.late:
        return None
    expressions = [p for _, late in rendered.late for p in late.parts if isinstance(p, Compiled)]
    needs = {name for expression in expressions for name in expression.needs}
    names = {name for name in needs if not name.startswith(SECRETS)}
    fractions = {name for expression in expressions for name in expression.numeric}
    values = as_fractions({name: data[name] for name in names if name in data}, fractions)
    check_size(values, expressions[0].source)
    return LateParameters(
        places=tuple(place for place, _ in rendered.late),
        secrets=tuple(sorted(name.removeprefix(SECRETS) for name in needs - names)),
        names=tuple(sorted(names)),
        values=values,
    )


def evaluate_late(
    text: str, late: LateParameters, secrets: Mapping[str, str], tainted: Collection[str] = ()
) -> Evaluated:
    """One late text; `secrets` has a value for each name in `late.secrets`.

    `tainted` are other names whose values are secret too. Raises `ExpressionError`, whose message
    may quote a secret.
    """
    data = {**late.values, **{SECRETS + name: value for name, value in secrets.items()}}
    variables = dict.fromkeys(late.names, cel.Type.DYN)
    scope = Scope({**variables, **_declared(late.secrets)})
    parts = [
        (p, p.evaluate(data) if isinstance(p, Compiled) else p) for p in split_text(text, scope)
    ]
    value = parts[0][1] if len(parts) == 1 else "".join(as_text(made) for _, made in parts)
    check_size(value, text[:80])
    hot = {*tainted, *(SECRETS + name for name in late.secrets)}
    secret = [made for p, made in parts if isinstance(p, Compiled) and not hot.isdisjoint(p.needs)]
    return Evaluated(value, tuple(secret))


def secret_variables(value: Any) -> dict[str, cel.Type]:
    """The secrets that the places in a JSON value mention, as variables of their expressions."""
    return _declared(sorted({name for _, name in secrets_in(value)}))


def secrets_in(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Each secret that a place in a JSON value mentions, and where that stands."""
    if isinstance(value, str):
        for code in codes_in(value):
            yield from ((place, match.group(1)) for match in _SECRET.finditer(code))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, (*place, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from secrets_in(item, (*place, index))


def mentions_secrets(source: str) -> bool:
    """Whether an expression, or a place of a text, means to use secrets, rightly or not."""
    return _MENTION.search(code_of(source)) is not None


def _declared(secrets: Iterable[str]) -> dict[str, cel.Type]:
    return {SECRETS + name: cel.Type.STRING for name in secrets}
