"""What an approval is about: everything that decides what will run, and the hash that names it.

The law:

* The hash is SHA-256 over the subject's canonical JSON: keys sorted, no blanks, UTF-8. Whoever is
  shown the subject can hash it and compare.
* It follows from program and state alone, so that the coordinator that asks and the gateway that
  shows come to the same one. The round is part of it: no answer can be used again for another.
* Commands and parameters stand as they will be run. Where a place depends on what is not known
  yet (outputs of steps that have not run, input that was not given), it stands as written:
  together with the template's version that decides it just as well.
* No secret is in it. A secret stands by its name, a sealed value by a digest of its seal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.binding import bind
from shared.workflow.definition import Step
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import Rendered, json_text
from shared.workflow.fleets import Target
from shared.workflow.gate_state import GateState
from shared.workflow.program import CompiledStep, Program
from shared.workflow.state import ExecutionState

_OF_STEPS: Final = frozenset({"steps", "failure"})
_OF_INSTANCES: Final = frozenset({"item", "index", "key", "agent", "batch"})
_FLOW: Final = ("workflow", "foreach", "until", "switch", "wait_for")
_SEALED: Final = re.compile(r"sealed:v1:[A-Za-z0-9_=-]+")


class SubjectStep(BaseModel):
    """One step as it will run: its command, and who may be given it.

    `targets` are the agents that it was resolved to, where that happens before it runs; `flow` is
    how it loops, calls or chooses, as written; `items` what a loop runs over, once that is known.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    command: str
    parameters: dict[str, Any]
    when: str | None = None
    host: Any = None
    labels: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    timeout_s: float
    flow: dict[str, Any] = Field(default_factory=dict)
    items: Any = None


class ApprovalSubject(BaseModel):
    """What one round of one gate is about. `input` is what an approver filled in."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    gate: str
    round: int
    template_id: str
    template_version: str
    parameters: dict[str, Any]
    input: dict[str, Any] = Field(default_factory=dict)
    steps: tuple[SubjectStep, ...]

    @property
    def digest(self) -> str:
        """The hash that names this subject, 64 hexadecimal digits."""
        text = json_text(self.model_dump(mode="json"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def subject_of(
    program: Program,
    state: ExecutionState,
    name: str,
    gate: GateState,
    steps: tuple[str, ...] = (),
) -> ApprovalSubject:
    """The subject of a gate as things are now: of its step, or of all that will run (of `steps`,
    where these are given)."""
    named = (gate.step,) if gate.step else steps or to_run(program, state)
    return ApprovalSubject(
        execution_id=state.execution_id,
        gate=name,
        round=gate.round,
        template_id=state.template_id,
        template_version=state.template_version,
        parameters=_by_seal(state.parameters),
        input=_by_seal(gate.input),
        steps=tuple(_step(program.steps[step], state, gate) for step in named),
    )


def to_run(program: Program, state: ExecutionState) -> tuple[str, ...]:
    """The steps that will run, if their conditions hold: all but those that a re-run keeps."""
    kept = {name for name, step in state.steps.items() if step.kept_from}
    return tuple(name for name in program.graph.order if name not in kept)


def known_parameters(compiled: CompiledStep, state: ExecutionState) -> Any:
    """The parameters of a ready step, but for what an approver still has to fill in; raises
    `ExpressionError` where they cannot be made whatever is filled in."""
    needs = _bindable(compiled.parameters.needs, has_run=True)
    return compiled.parameters.known(bind(needs, state))


def _step(compiled: CompiledStep, state: ExecutionState, gate: GateState) -> SubjectStep:
    step = compiled.step
    has_run = bool(gate.step)
    return SubjectStep(
        id=step.id,
        command=step.command,
        parameters=_by_seal(_shown(compiled.parameters, state, has_run=has_run)),
        when=step.when,
        host=_by_seal(_shown(compiled.host, state, has_run=has_run)) or None,
        labels=step.target.labels,
        capabilities=step.required_capabilities,
        targets=gate.targets,
        timeout_s=step.timeout_s,
        flow=_flow(step),
        items=_by_seal(_items(compiled, state, has_run=has_run)),
    )


def _flow(step: Step) -> dict[str, Any]:
    """How it loops, calls or chooses; and of where it runs what decides that besides a host."""
    written: dict[str, Any] = step.model_dump(
        mode="json", by_alias=True, include=set(_FLOW), exclude_none=True
    )
    plain = Target(host=step.target.host, labels=step.target.labels)
    if step.target != plain or step.any_capabilities:
        placed = {"target", "any_capabilities"}
        written |= step.model_dump(mode="json", include=placed, exclude_none=True)
    return written


def _items(compiled: CompiledStep, state: ExecutionState, *, has_run: bool) -> Any:
    items = compiled.items
    if items is None or not has_run:
        return None
    try:
        return items.evaluate(bind(items.needs, state))
    except ExpressionError:
        return None  # the loop fails with it when it begins


def _shown(value: Rendered, state: ExecutionState, *, has_run: bool) -> Any:
    """`has_run`: the steps before it have ended, so that their outputs are known."""
    try:
        return value.known(bind(_bindable(value.needs, has_run=has_run), state))
    except ExpressionError:
        return value.known({})


def _bindable(needs: Iterable[str], *, has_run: bool) -> list[str]:
    unknown = _OF_INSTANCES if has_run else _OF_INSTANCES | _OF_STEPS
    return [name for name in needs if name.partition(".")[0] not in unknown]


def _by_seal(value: Any) -> Any:
    if isinstance(value, str):
        return _SEALED.sub(_digest_of_seal, value)
    if isinstance(value, dict):
        return {key: _by_seal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_by_seal(item) for item in value]
    return value


def _digest_of_seal(seal: re.Match[str]) -> str:
    return "seal:sha256:" + hashlib.sha256(seal.group().encode()).hexdigest()
