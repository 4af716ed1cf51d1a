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
| `output`, `output.<field>` | in checks, criteria and `until`: what the step's command returned |
| `item`, `index`, `key` | in a step with `foreach` |
| `agent.name`, `.host`, `.labels` | in a step with `target.where`, and in that |
| `agent.capabilities`, `.load` | in `target.where` |
| `batch` | in a step with `target.where`, beside `index` |
| `data` | in `accept` of a `wait_for`: what the signal brings |
| `captured`, `output` | in `rollback`: see `shared.workflow.way_back_program` |
| `failure.step`, `.code`, `.message` | in the sections `on_failure` and `finally` |
| `secrets.<name>` | text; in a step's parameters only, evaluated on the agent that runs it |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from cel_expr_python import cel

from shared.workflow import graph as graphs
from shared.workflow.binding import base
from shared.workflow.definition import OnLost, Step, Template, placed_steps
from shared.workflow.errors import DefinitionError, ExpressionError, Problem
from shared.workflow.expressions import Compiled, Rendered, Scope, cel_type
from shared.workflow.flow import Concurrency
from shared.workflow.gate_forms import gate_problems, input_variables, value_variables
from shared.workflow.gate_state import WORKFLOW_GATE
from shared.workflow.graph import Graph
from shared.workflow.late import mentions_secrets, secret_variables
from shared.workflow.outputs import FLEET_OUTPUT, INSTANCES_OUTPUT, engine_output
from shared.workflow.parameters import schema_problems
from shared.workflow.risk_gate import GATE_SCOPE, NO_RULES, Rules
from shared.workflow.selecting import AGENT_VARIABLES
from shared.workflow.way_back_program import NO_WAY_BACK, WayBack, compile_way_back

Schema = Mapping[str, Any]
T = TypeVar("T")

_OUTPUT_MAP: Final = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_INSTANCE: Final[Mapping[str, cel.Type]] = {
    "item": cel.Type.DYN,
    "index": cel.Type.INT,
    "key": cel.Type.STRING,
}
_TARGET: Final[Mapping[str, cel.Type]] = {
    **{name: AGENT_VARIABLES[name] for name in ("agent.name", "agent.host", "agent.labels")},
    "index": cel.Type.INT,
    "batch": cel.Type.INT,
}
_FAILURE: Final[Mapping[str, cel.Type]] = dict.fromkeys(
    ("failure.step", "failure.code", "failure.message"), cel.Type.STRING
)
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

    `on_lost` is the rule that applies, whether it was written or not. `must_claim`: it changes
    something, so that no agent may start it unless the coordinator says so. `captures`: something
    is to be kept before it begins.
    """

    step: Step
    when: Compiled | None
    parameters: Rendered
    host: Rendered
    checks: tuple[Compiled, ...]
    criteria: tuple[Compiled, ...]
    capabilities: tuple[str, ...]
    on_lost: OnLost
    must_claim: bool
    cases: tuple[Compiled, ...] = ()
    accepts: tuple[Compiled | None, ...] = ()
    items: Compiled | None = None
    until: Compiled | None = None
    selector: Compiled | None = None
    concurrency: Rendered | None = None
    way_back: WayBack = NO_WAY_BACK
    captures: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """A template ready to run."""

    template: Template
    graph: Graph
    steps: Mapping[str, CompiledStep]
    outputs: Rendered
    concurrency: Rendered | None = None
    risk_gate: Rules = NO_RULES

    def step(self, key: str) -> CompiledStep:
        """The program of a step, or of the step that `key` is an instance of."""
        return self.steps.get(key) or self.steps[base(key)]


@dataclass(frozen=True, slots=True)
class CommandSignature:
    """What the core must know of a command: what it returns, what an agent needs for it, whether a
    run with given parameters changes nothing, and whether an agent keeps by itself what a run is
    about to change."""

    output: Schema
    capabilities: tuple[str, ...] = ()
    effect_free: Callable[[Mapping[str, Any]], bool] = lambda _parameters: False
    captures: bool = False


def compile_template(
    template: Template, commands: Mapping[str, CommandSignature] | None = None
) -> Program:
    """The program of a template; raises `DefinitionError` with every problem found.

    `commands` tells the outputs' types; without it, or for a command it does not list, outputs
    are untyped (whether commands exist is for validation to say).
    """
    graph, problems = graphs.build(template.steps, template.on_failure, template.always)
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
        self._step_variables = {s.id: self._variables_of(s) for s in template.every_step}
        self._inputs = input_variables(template)
        self._base = self._base.plus(self._inputs.get(WORKFLOW_GATE, {}))

    def compile(self) -> Program:
        template = self._template
        steps = {s.id: self._step(path, s) for path, s in placed_steps(template)}
        used = self._scope(self._step_variables, template.outputs)
        everything = self._filled_in(used, self._inputs)
        outputs = self.rendered("outputs", template.outputs, everything)
        self._triggers()
        gate = self._risk_gate()
        return Program(
            template=template,
            graph=self._graph,
            steps=steps,
            outputs=outputs or Rendered({}, everything),
            concurrency=self._key(
                "policies/concurrency", template.policies.concurrency, self._base
            ),
            risk_gate=Rules("template", template.policies.validation.gate, gate),
        )

    def _step(self, path: str, step: Step) -> CompiledStep:
        scope, outer = self._scopes(step)
        over_output = scope.plus(self._output_variables(step, "output"))
        nothing = Rendered({}, scope)
        return CompiledStep(
            step=step,
            when=self._optional(f"{path}/when", step.when, outer),
            parameters=self._parameters(path, step, scope) or nothing,
            host=self.rendered(f"{path}/target/host", step.target.host, scope) or nothing,
            checks=self._conditions(
                f"{path}/validation_checks", step.validation_checks, over_output
            ),
            criteria=self._conditions(
                f"{path}/success_criteria", step.success_criteria, over_output
            ),
            capabilities=self._capabilities(step),
            on_lost=self._on_lost(step),
            must_claim=not self._is_harmless(step) or self._on_lost(step) is not OnLost.RERUN,
            cases=self._cases(path, step, outer),
            accepts=self._accepts(path, step, outer),
            items=self._items(path, step, outer),
            until=self._until(path, step, over_output),
            selector=self._selector(path, step, outer),
            concurrency=self._key(f"{path}/concurrency", step.concurrency, scope),
            way_back=compile_way_back(
                self, path, step, scope, self._output_variables(step, "output")
            ),
            captures=self._captures(step),
        )

    def _parameters(self, path: str, step: Step, scope: Scope) -> Rendered | None:
        if not step.command:  # what the engine carries out runs on no agent
            return self.rendered(f"{path}/parameters", step.parameters, scope)
        with_secrets = scope.plus(secret_variables(step.parameters))
        return self.rendered(f"{path}/parameters", step.parameters, with_secrets)

    def _scopes(self, step: Step) -> tuple[Scope, Scope]:
        """What the step's own expressions may use, and those that decide about it as a whole."""
        routes = self._graph.routes
        before = self._graph.ancestors[step.id]
        outer = self._filled_in(self._scope(before, _mentioning(step)), before)
        if step.id in routes.on_failure or step.id in routes.always:
            outer = outer.plus(_FAILURE)
        inner = self._filled_in(outer, (step.id,))
        if step.target.is_fleet:
            return inner.plus(_TARGET), outer
        if step.foreach is None:
            return inner, outer
        given = dict.fromkeys(step.foreach.given, cel.Type.DYN)
        return inner.plus(_INSTANCE).plus(given), outer

    def _optional(self, path: str, source: str | None, scope: Scope) -> Compiled | None:
        return None if source is None else self.condition(path, source, scope)

    def _cases(self, path: str, step: Step, scope: Scope) -> tuple[Compiled, ...]:
        cases = step.switch.cases if step.switch is not None else ()
        compiled = (
            self.condition(f"{path}/switch/cases/{index}/when", case.when, scope)
            for index, case in enumerate(cases)
        )
        return tuple(c for c in compiled if c is not None)

    def _accepts(self, path: str, step: Step, scope: Scope) -> tuple[Compiled | None, ...]:
        options = step.wait_for.options if step.wait_for is not None else ()
        over_data = scope.plus({"data": _OUTPUT_MAP})
        return tuple(
            self._optional(f"{path}/wait_for/options/{index}/accept", option.accept, over_data)
            for index, option in enumerate(options)
        )

    def _key(self, path: str, rule: Concurrency | None, scope: Scope) -> Rendered | None:
        return self.rendered(f"{path}/key", rule.key, scope) if rule is not None else None

    def _until(self, path: str, step: Step, scope: Scope) -> Compiled | None:
        source = step.until.condition if step.until is not None else None
        return self._optional(f"{path}/until/condition", source, scope)

    def _selector(self, path: str, step: Step, scope: Scope) -> Compiled | None:
        where = step.target.where
        if where is None:
            return None
        return self.condition(f"{path}/target/where", where, scope.plus(AGENT_VARIABLES))

    def _items(self, path: str, step: Step, scope: Scope) -> Compiled | None:
        foreach = step.foreach
        if foreach is None:
            return None
        return self._try(f"{path}/foreach/items", lambda: Compiled(foreach.items, scope))

    def _on_lost(self, step: Step) -> OnLost:
        if step.on_lost is not None:
            return step.on_lost
        return OnLost.RERUN if step.idempotent or self._is_harmless(step) else OnLost.FAIL

    def _is_harmless(self, step: Step) -> bool:
        signature = self._commands.get(step.command)
        return signature is not None and signature.effect_free(step.parameters)

    def _captures(self, step: Step) -> bool:
        """Whether an agent is to keep anything before it begins."""
        if not self._template.policies.rollback_enabled or step.irreversible:
            return False
        signature = self._commands.get(step.command)
        by_itself = signature is not None and signature.captures and not self._is_harmless(step)
        return by_itself or step.capture is not None

    def _capabilities(self, step: Step) -> tuple[str, ...]:
        signature = self._commands.get(step.command)
        needed = set(step.required_capabilities) | set(signature.capabilities if signature else ())
        return tuple(sorted(needed))

    def _triggers(self) -> None:
        scope = Scope({"event": _OUTPUT_MAP, "context": _OUTPUT_MAP})
        for index, trigger in enumerate(self._template.triggers):
            if trigger.condition is not None:
                self.condition(f"triggers/{index}/condition", trigger.condition, scope)

    def _risk_gate(self) -> tuple[Compiled, ...]:
        at = "policies/validation/gate"
        rules = enumerate(self._template.policies.validation.gate)
        compiled = (self.condition(f"{at}/{i}/when", rule.when, GATE_SCOPE) for i, rule in rules)
        return tuple(one for one in compiled if one is not None)

    def rendered(self, path: str, value: Any, scope: Scope) -> Rendered | None:
        """A value with expressions in it; each text with a problem is named by its own path."""
        try:
            return Rendered(value, scope)
        except ExpressionError:
            for at, text in _texts(path, value):
                self._try(at, partial(Rendered, text, scope))
            return None

    def _conditions(self, path: str, sources: Iterable[str], scope: Scope) -> tuple[Compiled, ...]:
        compiled = (
            self.condition(f"{path}/{index}", source, scope) for index, source in enumerate(sources)
        )
        return tuple(c for c in compiled if c is not None)

    def condition(self, path: str, source: str, scope: Scope) -> Compiled | None:
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
        if mentions_secrets(error.source) and "/parameters" not in path:
            self.problems.append(_misplaced(path, error))
            return
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
            **self._whole_output(step, f"{prefix}.output"),
        }

    def _whole_output(self, step: Step, prefix: str) -> dict[str, cel.Type]:
        """What others see of a step: with `foreach` what became of its instances, of a fleet what
        became of its targets."""
        if step.target.is_fleet:
            return _typed(prefix, FLEET_OUTPUT)
        if step.foreach is not None:
            return _typed(prefix, INSTANCES_OUTPUT)
        return self._output_variables(step, prefix)

    def _output_variables(self, step: Step, prefix: str) -> dict[str, cel.Type]:
        """The output as a map, and each field that is always there with its own type."""
        if not step.command:
            return _typed(prefix, engine_output(step))
        signature = self._commands.get(step.command)
        return _typed(prefix, signature.output if signature is not None else {})


def _typed(prefix: str, schema: Schema) -> dict[str, cel.Type]:
    fields = schema.get("properties", {})
    required = schema.get("required", ())
    return {prefix: _OUTPUT_MAP} | {
        f"{prefix}.{name}": cel_type(fields[name]) for name in required if name in fields
    }


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{path}/{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(f"{path}/{index}", item)


def _misplaced(path: str, error: ExpressionError) -> Problem:
    return Problem(
        path=path,
        code="secret_misplaced",
        message=f"`{error.source}` uses a secret, and only a step's parameters can: it has its "
        "value on the agent that runs the step, and nowhere else",
        fix="use the secret in the parameters of a step, and the output of that step here",
    )


def _mentioning(step: Step) -> Any:
    """The step as data where it mentions steps; nothing where it mentions none, as most do."""
    return step.model_dump(mode="json") if "steps" in step.model_dump_json() else ()


def _words(value: Any) -> set[str]:
    """All words in all texts of a value: among them every step that an expression mentions."""
    found: set[str] = set()
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if "steps" in one:
                found.update(_WORD.findall(one))
        elif isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list | tuple):
            left.extend(one)
    return found
