"""What is validated: a definition with all that rules want to know of it, worked out once.

A definition may be broken at any depth: `template` is None where it does not fit the model, and
`program` where it cannot be compiled. Then `problems` say why, and rules that need more find
nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from shared.commands.problems import ParameterProblem
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.templates.document import Document, Place, TemplateFileError, parse
from shared.templates.loader import template_of
from shared.validation.config import DEFAULT_CONFIG, ValidationConfig
from shared.validation.expressions import Expression, expressions
from shared.validation.programs import Run, runs
from shared.validation.rule import Found
from shared.workflow.definition import Step, Template, placed_steps
from shared.workflow.errors import DefinitionError, Problem
from shared.workflow.expressions import Compiled
from shared.workflow.program import Program, compile_template
from shared.workflow.validation_policy import Suppression

Role = Literal["step", "capture", "rollback", "verify"]
Called = Mapping[tuple[str, str], Template | None]
"""Sub-workflows by id and version; None: that version is not stored."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a command: at `path` (a step, or its capture, rollback or verification)."""

    path: str
    role: Role
    step: Step
    command: str
    parameters: Mapping[str, Any]
    timeout_s: float


@dataclass(frozen=True)
class Subject:
    """A definition to look at. `parameters` are those of a run, where it is about one; `called` are
    the templates that it calls, where they are known."""

    registry: CommandRegistry
    document: Document
    template: Template | None = None
    program: Program | None = None
    problems: tuple[Problem, ...] = ()
    parameters: Mapping[str, Any] | None = None
    called: Called = field(default_factory=dict)
    config: ValidationConfig = DEFAULT_CONFIG

    def with_called(self, called: Called) -> Subject:
        """The same, knowing the templates that it calls."""
        return replace(self, called=called)

    def with_parameters(self, parameters: Mapping[str, Any]) -> Subject:
        """The same, about a run with these parameters."""
        return replace(self, parameters=parameters)

    @property
    def category(self) -> str:
        """The template's category, as far as it can be read."""
        if self.template is not None:
            return self.template.category
        found = self.document.value.get("category") if self._is_map else None
        return found if isinstance(found, str) else "custom"

    @property
    def suppressions(self) -> tuple[Suppression, ...]:
        """What the author accepts."""
        return self.template.policies.validation.suppress if self.template is not None else ()

    @cached_property
    def steps(self) -> tuple[tuple[str, Step], ...]:
        """Every step with its path; nothing where the definition does not fit the model."""
        return tuple(placed_steps(self.template)) if self.template is not None else ()

    @cached_property
    def path_of(self) -> Mapping[str, str]:
        """The path of each step, by its id."""
        return {step.id: path for path, step in self.steps}

    @cached_property
    def step_of(self) -> Mapping[str, Step]:
        """Each step by its id."""
        return {step.id: step for _, step in self.steps}

    @cached_property
    def waits_for(self) -> Mapping[str, tuple[str, ...]]:
        """By step, the steps that it waits for by what its author wrote, groups resolved."""
        groups: dict[str, tuple[str, ...]] = {}
        for _, step in self.steps:
            if step.parallel_group:
                groups[step.parallel_group] = (*groups.get(step.parallel_group, ()), step.id)
        return {
            step.id: tuple(one for name in step.depends_on for one in groups.get(name, (name,)))
            for _, step in self.steps
        }

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every use of a command."""
        return tuple(use for path, step in self.steps for use in _uses(path, step))

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression."""
        return tuple(expressions(self.template)) if self.template is not None else ()

    @cached_property
    def runs(self) -> tuple[tuple[Use, Run], ...]:
        """Every program that a shell command runs, in `argv`, in scripts, and within others."""
        return tuple(
            (use, run)
            for use in self.uses
            if use.command == "shell"
            for run in runs(f"{use.path}/parameters", use.parameters)
        )

    def in_run(self, run: Run) -> Place:
        """Line and column of a program."""
        return self.inside(run.path, run.offset)

    @cached_property
    def command_problems(self) -> tuple[tuple[Use, ParameterProblem], ...]:
        """What the schemas of commands say of their parameters; unknown commands are left out."""
        return tuple(
            (use, problem)
            for use in self.uses
            if use.command in self.registry
            for problem in self.registry.check_parameters(
                use.command, use.parameters, allow_expressions=True
            )
        )

    @cached_property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Every text of the definition as it was written, with its path; keys are left out."""
        return tuple(_texts("", self.document.value))

    def with_code(self, *codes: str) -> Iterator[Problem]:
        """The problems of these codes that were found before any rule looked."""
        return (problem for problem in self.problems if problem.code in codes)

    def place(self, found: Found) -> Place:
        """Line and column of what was found; (0, 0) where that is not known."""
        return self.document.place(found.path) if found.about == "definition" else (0, 0)

    def value(self, path: str) -> Any:
        """What stands at a path of the definition; None where there is nothing."""
        value = self.document.value
        for part in path.split("/") if path else ():
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    def inside(self, path: str, offset: int) -> Place:
        """Line and column of a character of a text."""
        return self.document.inside(path, offset)

    @cached_property
    def _compiled(self) -> Mapping[str, Compiled]:
        """Each expression of the program that makes a value or part of a text, by its source."""
        steps = self.program.steps.values() if self.program is not None else ()
        return {
            one.source: one
            for step in steps
            for rendered in (step.parameters, step.way_back.parameters, step.way_back.capture)
            for one in (rendered.expressions if rendered is not None else ())
        }

    def compiled(self, source: str) -> Compiled | None:
        """An expression of a step's parameters, with its type; None where it is not known."""
        return self._compiled.get(source)

    @staticmethod
    def close(name: str, known: Iterable[str]) -> str | None:
        """The known name that was probably meant, if one looks like it."""
        found = difflib.get_close_matches(name, sorted({*known} - {name}), n=1)
        return found[0] if found else None

    @property
    def _is_map(self) -> bool:
        return isinstance(self.document.value, Mapping)


def subject_of_text(text: str, registry: CommandRegistry, **more: Any) -> Subject:
    """The subject that a text holds, YAML or JSON, however broken it is."""
    try:
        document = parse(text)
    except TemplateFileError as error:
        return Subject(registry, Document(None), problems=error.placed, **more)
    return _subject(document, registry, more)


def subject_of_data(data: Any, registry: CommandRegistry, **more: Any) -> Subject:
    """The same for plain data, such as a JSON body."""
    return _subject(Document(data), registry, more)


def subject_of_template(template: Template, registry: CommandRegistry, **more: Any) -> Subject:
    """The same for a template that is one already."""
    data = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return _compiled(Document(data), template, registry, more)


def _subject(document: Document, registry: CommandRegistry, more: dict[str, Any]) -> Subject:
    try:
        template = template_of(document)
    except TemplateFileError as error:
        return Subject(registry, document, problems=error.placed, **more)
    return _compiled(document, template, registry, more)


def _compiled(
    document: Document, template: Template, registry: CommandRegistry, more: dict[str, Any]
) -> Subject:
    try:
        program = compile_template(template, signatures(registry))
    except DefinitionError as error:
        return Subject(registry, document, template, problems=error.problems, **more)
    return Subject(registry, document, template, program, **more)


def _uses(path: str, step: Step) -> Iterator[Use]:
    if step.command:
        yield Use(path, "step", step, step.command, step.parameters, step.timeout_s)
    if step.capture is not None:
        kept = step.capture
        yield Use(f"{path}/capture", "capture", step, kept.command, kept.parameters, kept.timeout_s)
    undo = step.rollback
    if undo is None:
        return
    yield Use(f"{path}/rollback", "rollback", step, undo.command, undo.parameters, undo.timeout_s)
    seen = undo.verify
    if seen is not None and seen.command:
        at = f"{path}/rollback/verify"
        yield Use(at, "verify", step, seen.command, seen.parameters, seen.timeout_s)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(f"{path}/{key}" if path else str(key), item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(f"{path}/{index}" if path else str(index), item)
