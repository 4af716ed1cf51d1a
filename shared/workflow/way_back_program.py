"""The way back of a step, made ready: what is captured before it, what undoes it, how that is seen.

What their expressions may use beside what the step's own may:

| where | variable |
|---|---|
| `parameters` of `rollback` and `rollback.verify` | `captured`; `output`: what the step returned |
| `rollback.verify.condition` | `captured`; `output`: what the command before it returned |

`captured` is what the step's `capture` returned. Where a step's outcome is unknown there is no
`output`, and what uses it cannot be rendered: then it is a person who decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cel_expr_python import cel

from shared.workflow.definition import Step
from shared.workflow.expressions import Compiled, Rendered, Scope
from shared.workflow.late import secret_variables

CAPTURED: Final = "captured"
_ANY_MAP: Final = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)


@dataclass(frozen=True, slots=True)
class WayBack:
    """The expressions of `capture` and `rollback`, compiled; None where there is nothing."""

    capture: Rendered | None = None
    parameters: Rendered | None = None
    verify: Rendered | None = None
    condition: Compiled | None = None


NO_WAY_BACK: Final = WayBack()


class Compiles(Protocol):
    """What compiles one expression or one value, and reports what is wrong with it."""

    def rendered(self, path: str, value: Any, scope: Scope) -> Rendered | None:
        """A value with expressions in it."""
        ...

    def condition(self, path: str, source: str, scope: Scope) -> Compiled | None:
        """An expression that must be true or false."""
        ...


def compile_way_back(
    compiler: Compiles, path: str, step: Step, scope: Scope, output: Mapping[str, cel.Type]
) -> WayBack:
    """`scope` is that of the step's own expressions, `output` the variables of its output."""
    undo = step.rollback
    if undo is None and step.capture is None:
        return NO_WAY_BACK
    after = scope.plus({**output, CAPTURED: _ANY_MAP})
    verify = undo.verify if undo is not None else None
    return WayBack(
        capture=_parameters(compiler, f"{path}/capture", step.capture, scope),
        parameters=_parameters(compiler, f"{path}/rollback", undo, after),
        verify=_parameters(compiler, f"{path}/rollback/verify", verify, after),
        condition=compiler.condition(
            f"{path}/rollback/verify/condition",
            verify.condition,
            scope.plus({"output": _ANY_MAP, CAPTURED: _ANY_MAP}),
        )
        if verify is not None and verify.condition is not None
        else None,
    )


def _parameters(compiler: Compiles, path: str, use: Any, scope: Scope) -> Rendered | None:
    """The parameters of a use of a command, which may need secrets on its agent."""
    if use is None or not use.command:
        return None
    with_secrets = scope.plus(secret_variables(use.parameters))
    return compiler.rendered(f"{path}/parameters", use.parameters, with_secrets)
