"""A program is a template made ready to run: its graph built, every expression compiled.

`compile_template` finds every problem it can before anything runs, and tells where and how to mend
it. A program is immutable and made once per template version.

What an expression may use:

| variable | type |
|---|---|
| `params.<name>` | the parameter's type |
| `steps.<id>.status`, `.output`, `.output.<field>`, `.error`, `.attempts` | of steps before it |
| `execution.id`, `.template`, `.version`, `.requested_by`, `.created_at_ms` | of this run |
| `approvals.<gate>.input.<name>` | what an approver filled in, of gates before or at this step |
| `output`, `output.<field>` | in checks and criteria: what the step's command returned |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from cel_expr_python import cel

from shared.workflow import graph as graphs
from shared.workflow.definition import OnLost, Step, Template
from shared.workflow.errors import DefinitionError, ExpressionError, Problem
from shared.workflow.expressions import Compiled, Rendered, Scope, cel_type
from shared.workflow.gate_forms import gate_problems, input_variables, value_variables
from shared.workflow.gate_state import WORKFLOW_GATE
from shared.workflow.graph import Graph
from shared.workflow.parameters import schema_problems

Schema = Mapping[str, Any]
T = TypeVar("T")

_OUTPUT_MAP: Final = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
_EXECUTION: Final[Mapping[str, cel.Type]] = {
    "execution.id": cel.Type.STRING,
    "execution.template": cel.Type.STRING,
    "execution.version": cel.Type.STRING,
    "execution.requested_by": cel.Type.STRING,
    "execution.created_at_ms": cel.Type.INT,
}


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """A step with its expressions compiled, and what follows from its command.

    `on_lost` is the rule that applies, whether it was written or not.
    """

    step: Step
    when: Compiled | None
    parameters: Rendered
    host: Rendered
    checks: tuple[Compiled, ...]
    criteria: tuple[Compiled, ...]
    capabilities: tuple[str, ...]
    on_lost: OnLost


@dataclass(frozen=True, slots=True)
class Program:
    """A template ready to run."""

    template: Template
    graph: Graph
    steps: Mapping[str, CompiledStep]
    outputs: Rendered


@dataclass(frozen=True, slots=True)
class CommandSignature:
    """What the core must know of a command: what it returns, what an agent needs for it, and
    whether a run with given parameters changes nothing."""

    output: Schema
    capabilities: tuple[str, ...] = ()
    effect_free: Callable[[Mapping[str, Any]], bool] = lambda _parameters: False


def compile_template(
    template: Template, commands: Mapping[str, CommandSignature] | None = None
) -> Program:
    """The program of a template; raises `DefinitionError` with every problem found.

    `commands` tells the outputs' types; without it, or for a command it does not list, outputs
    are untyped (whether commands exist is for validation to say).
    """
    graph, problems = graphs.build(template.steps)
    if graph is None:
        raise DefinitionError(problems)
    compiler = _Compiler(template, graph, commands or {})
    compiler.problems += schema_problems(template) + gate_problems(template)
    program = compiler.compile()
    if compiler.problems:
        raise DefinitionError(compiler.problems)
    return program


class _Compiler:
    """Collects problems while it compiles, so that an author sees all of them at once."""

    def __init__(
        self, template: Template, graph: Graph, commands: Mapping[str, CommandSignature]
    ) -> None:
        self._template = template
        self._graph = graph
        self._commands = commands
        self.problems: list[Problem] = []
        self._base = Scope({**_EXECUTION, **value_variables(template.parameters, "params")})
        self._step_variables = {s.id: self._variables_of(s) for s in template.steps}
        self._inputs = input_variables(template)
        self._base = self._base.plus(self._inputs.get(WORKFLOW_GATE, {}))

    def compile(self) -> Program:
        template = self._template
        steps = {step.id: self._step(index, step) for index, step in enumerate(template.steps)}
        everything = self._filled_in(
            self._scope(self._step_variables, template.outputs), self._inputs
        )
        outputs = self._rendered("outputs", template.outputs, everything)
        self._triggers()
        return Program(
            template=template,
            graph=self._graph,
            steps=steps,
            outputs=outputs or Rendered({}, everything),
        )

    def _step(self, index: int, step: Step) -> CompiledStep:
        path = f"steps/{index}"
        checks = (*step.validation_checks, *step.success_criteria)
        sources = (step.when, step.parameters, step.target.host, checks)
        before = self._graph.ancestors[step.id]
        condition_scope = self._filled_in(self._scope(before, sources), before)
        scope = self._filled_in(condition_scope, (step.id,))
        over_output = scope.plus(self._output_variables(step.command, "output"))
        nothing = Rendered({}, scope)
        when = step.when
        return CompiledStep(
            step=step,
            when=self._condition(f"{path}/when", when, condition_scope)
            if when is not None
            else None,
            parameters=self._rendered(f"{path}/parameters", step.parameters, scope) or nothing,
            host=self._rendered(f"{path}/target/host", step.target.host, scope) or nothing,
            checks=self._conditions(
                f"{path}/validation_checks", step.validation_checks, over_output
            ),
            criteria=self._conditions(
                f"{path}/success_criteria", step.success_criteria, over_output
            ),
            capabilities=self._capabilities(step),
            on_lost=self._on_lost(step),
        )

    def _on_lost(self, step: Step) -> OnLost:
        if step.on_lost is not None:
            return step.on_lost
        signature = self._commands.get(step.command)
        harmless = signature is not None and signature.effect_free(step.parameters)
        return OnLost.RERUN if step.idempotent or harmless else OnLost.FAIL

    def _capabilities(self, step: Step) -> tuple[str, ...]:
        signature = self._commands.get(step.command)
        needed = set(step.required_capabilities) | set(signature.capabilities if signature else ())
        return tuple(sorted(needed))

    def _triggers(self) -> None:
        scope = Scope({"event": _OUTPUT_MAP, "context": _OUTPUT_MAP})
        for index, trigger in enumerate(self._template.triggers):
            if trigger.condition is not None:
                self._condition(f"triggers/{index}/condition", trigger.condition, scope)

    def _rendered(self, path: str, value: Any, scope: Scope) -> Rendered | None:
        """Compile each entry of a map on its own first, so that a problem names the entry."""
        found = len(self.problems)
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._try(f"{path}/{key}", partial(Rendered, item, scope))
        if len(self.problems) > found:
            return None
        return self._try(path, partial(Rendered, value, scope))

    def _conditions(self, path: str, sources: Iterable[str], scope: Scope) -> tuple[Compiled, ...]:
        compiled = (
            self._condition(f"{path}/{index}", source, scope)
            for index, source in enumerate(sources)
        )
        return tuple(c for c in compiled if c is not None)

    def _condition(self, path: str, source: str, scope: Scope) -> Compiled | None:
        compiled = self._try(path, lambda: Compiled(source, scope))
        if compiled is not None and not compiled.is_boolean:
            self.problems.append(
                Problem(
                    path=path,
                    code="not_a_condition",
                    message=f"`{source}` is not true or false",
                    fix="compare it with something, for example `… == 200`",
                )
            )
        return compiled

    def _try(self, path: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ExpressionError as error:
            self._report(path, error)
            return None

    def _report(self, path: str, error: ExpressionError) -> None:
        self.problems.append(
            Problem(
                path=path,
                code="expression_error",
                message=str(error),
                fix="use parameters, and outputs of steps that this one depends on; "
                "write numbers of type number with a point (1.0)",
            )
        )

    def _scope(self, steps: Collection[str], sources: Any) -> Scope:
        """What `sources` may use of `steps`: only steps that they mention are declared, because
        declaring all would cost the square of their number."""
        variables: dict[str, cel.Type] = {}
        for word in sorted(_words(sources)):
            if word in steps:
                variables |= self._step_variables[word]
        return self._base.plus(variables)

    def _filled_in(self, scope: Scope, gates: Iterable[str]) -> Scope:
        """The scope with what approvers fill in at these gates."""
        known = [self._inputs[gate] for gate in gates if gate in self._inputs]
        return scope.plus({n: t for one in known for n, t in one.items()}) if known else scope

    def _variables_of(self, step: Step) -> dict[str, cel.Type]:
        prefix = f"steps.{step.id}"
        return {
            f"{prefix}.status": cel.Type.STRING,
            f"{prefix}.error": cel.Type.STRING,
            f"{prefix}.attempts": cel.Type.INT,
            **self._output_variables(step.command, f"{prefix}.output"),
        }

    def _output_variables(self, command: str, prefix: str) -> dict[str, cel.Type]:
        """The output as a map, and each field that is always there with its own type."""
        signature = self._commands.get(command)
        if signature is None:
            return {prefix: _OUTPUT_MAP}
        fields = signature.output.get("properties", {})
        required = signature.output.get("required", ())
        return {prefix: _OUTPUT_MAP} | {
            f"{prefix}.{name}": cel_type(fields[name]) for name in required if name in fields
        }


def _words(value: Any) -> set[str]:
    """All words in all texts of a value: among them every step that an expression mentions."""
    if isinstance(value, str):
        return set(_WORD.findall(value)) if "steps" in value else set()
    if isinstance(value, Mapping):
        return set().union(*map(_words, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(_words, value))
    return set()
