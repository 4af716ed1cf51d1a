"""Every expression of a definition, with where it stands and whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from shared.workflow.definition import Step, Template, placed_steps
from shared.workflow.expressions import code_of, names_in, sources_in

Kind = Literal["value", "condition", "check", "way_back"]
"""`value`: within `${{ }}`; `condition`: decides about the step; `check`: looks at its own output;
`way_back`: within `rollback`, after the step."""


@dataclass(frozen=True)
class Expression:
    """One expression. `step` is whose it is, or None where it belongs to the whole."""

    path: str
    source: str
    kind: Kind
    step: Step | None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The dotted names that it mentions."""
        return names_in(self.source)

    @cached_property
    def guards(self) -> bool:
        """Whether it asks if something is there before it uses it."""
        return "has(" in "".join(code_of(self.source).split())


def expressions(template: Template) -> Iterator[Expression]:
    """All of them, in the order of the definition."""
    for path, step in placed_steps(template):
        yield from _of_step(path, step)
    yield from _within("outputs", template.outputs, "value", None)
    if template.policies.concurrency is not None:
        key = template.policies.concurrency.key
        yield from _within("policies/concurrency/key", key, "value", None)


def _of_step(path: str, step: Step) -> Iterator[Expression]:
    yield from _within(f"{path}/parameters", step.parameters, "value", step)
    yield from _within(f"{path}/target/host", step.target.host, "value", step)
    if step.concurrency is not None:
        yield from _within(f"{path}/concurrency/key", step.concurrency.key, "value", step)
    for at, source in _conditions(step):
        yield Expression(f"{path}/{at}", source, "condition", step)
    for field in ("validation_checks", "success_criteria"):
        for index, source in enumerate(getattr(step, field)):
            yield Expression(f"{path}/{field}/{index}", source, "check", step)
    if step.until is not None:
        yield Expression(f"{path}/until/condition", step.until.condition, "check", step)
    if step.capture is not None:
        yield from _within(f"{path}/capture/parameters", step.capture.parameters, "value", step)
    yield from _of_rollback(f"{path}/rollback", step)


def _of_rollback(path: str, step: Step) -> Iterator[Expression]:
    undo = step.rollback
    if undo is None:
        return
    yield from _within(f"{path}/parameters", undo.parameters, "way_back", step)
    seen = undo.verify
    if seen is not None:
        yield from _within(f"{path}/verify/parameters", seen.parameters, "way_back", step)
        if seen.condition is not None:
            yield Expression(f"{path}/verify/condition", seen.condition, "way_back", step)


def _conditions(step: Step) -> Iterator[tuple[str, str]]:
    if step.when is not None:
        yield "when", step.when
    for index, case in enumerate(step.switch.cases if step.switch is not None else ()):
        yield f"switch/cases/{index}/when", case.when
    for index, option in enumerate(step.wait_for.options if step.wait_for is not None else ()):
        if option.accept is not None:
            yield f"wait_for/options/{index}/accept", option.accept
    if step.foreach is not None:
        yield "foreach/items", step.foreach.items
    if step.target.where is not None:
        yield "target/where", step.target.where


def _within(path: str, value: Any, kind: Kind, step: Step | None) -> Iterator[Expression]:
    if isinstance(value, str):
        if "${{" in value:
            yield from (Expression(path, source, kind, step) for source in sources_in(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _within(f"{path}/{key}", item, kind, step)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _within(f"{path}/{index}", item, kind, step)
