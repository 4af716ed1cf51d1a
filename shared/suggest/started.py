"""Which workflow a sequence of commands has begun, how far it is, and with which values.

The law:

* A command stands for a step that it fits, once every step that this one depends on and that can be
  known again has been done. Other commands may come between.
* Parameters that several steps take have one value: a command with another value begins anew.
* It counts only while it is fresh: one of the last `FRESH` commands stood for a step.
* How likely it is that the rest is wanted: more with each step that was done, less where what was
  done says little (a program alone), or where several templates begin alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared.suggest.step_patterns import LinePattern, patterns_of, tokens_of_line
from shared.workflow.definition import Template

LOOKED_AT: Final = 30
"""Commands that are looked at, the latest ones."""

FRESH: Final = 3

_LIKELY: Final = (0.3, 0.6, 0.75, 0.85)
"""That the rest is wanted after one, two, three steps, more; feedback moves them."""

_SAYS_LITTLE: Final = 0.35
"""The same for one step of which only the program is written out."""


@dataclass(frozen=True)
class Started:
    """A workflow that was begun."""

    template: str
    done: tuple[str, ...]
    rest: tuple[str, ...]
    values: Mapping[str, str]
    likely: float
    line: str
    """The latest command that stood for a step."""
    next_line: str
    """What the next step would be as a command; empty where that is not known."""


@dataclass(frozen=True)
class _Known:
    template: Template
    patterns: Mapping[str, LinePattern]
    needs: Mapping[str, frozenset[str]]


@dataclass
class _Run:
    done: dict[str, int] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    line: str = ""


class StepIndex:
    """The steps of all templates, by the program that they run."""

    def __init__(self, templates: Iterable[Template]) -> None:
        self._known: dict[str, _Known] = {}
        self._by_program: dict[str, list[tuple[str, str]]] = {}
        for template in templates:
            patterns = {one.step: one for one in patterns_of(template)}
            if not patterns:
                continue
            self._known[template.id] = _Known(template, patterns, _needs(template, patterns))
            for step, pattern in patterns.items():
                self._by_program.setdefault(pattern.first, []).append((template.id, step))

    def started(self, lines: Sequence[str]) -> list[Started]:
        """What these commands, the oldest first, have begun; the likeliest first."""
        lines = lines[-LOOKED_AT:]
        runs: dict[str, _Run] = {}
        for number, line in enumerate(lines):
            tokens = tokens_of_line(line)
            if tokens:
                self._step(runs, number, line, tokens)
        fresh = len(lines) - FRESH
        found = [
            self._told(self._known[template], run)
            for template, run in runs.items()
            if run.done and max(run.done.values()) >= fresh
        ]
        found = [one for one in found if one.rest]
        alike = [sum(1 for b in found if (a.line, a.done) == (b.line, b.done)) for a in found]
        told = [
            replace(one, likely=one.likely / count) for one, count in zip(found, alike, strict=True)
        ]
        return sorted(told, key=lambda one: (-one.likely, one.template))

    def _step(self, runs: dict[str, _Run], number: int, line: str, tokens: list[str]) -> None:
        for template, step in self._by_program.get(tokens[0], ()):
            known = self._known[template]
            values = known.patterns[step].values(tokens)
            if values is None:
                continue
            run = runs.setdefault(template, _Run())
            clashes = any(run.values.get(n, v) != v for n, v in values.items())
            if clashes or (step in run.done and not known.needs[step]):
                if known.needs[step]:
                    continue
                run = runs[template] = _Run()
            if step in run.done or known.needs[step] <= run.done.keys():
                run.done[step] = number
                run.values.update(values)
                run.line = line

    def _told(self, known: _Known, run: _Run) -> Started:
        rest = tuple(step.id for step in known.template.steps if step.id not in run.done)
        ready = (step for step in rest if step in known.patterns)
        following = next((s for s in ready if known.needs[s] <= run.done.keys()), None)
        return Started(
            template=known.template.id,
            done=tuple(run.done),
            rest=rest,
            values=dict(run.values),
            likely=_likely(known, run),
            line=run.line,
            next_line=known.patterns[following].line(run.values) if following else "",
        )

    def line_of(self, template: str, step: str, values: Mapping[str, str]) -> str:
        """A step as a command; empty where it is none, or a value is not known."""
        known = self._known.get(template)
        pattern = known.patterns.get(step) if known else None
        return pattern.line(values) if pattern else ""


def _likely(known: _Known, run: _Run) -> float:
    likely = _LIKELY[min(len(run.done), len(_LIKELY)) - 1]
    only = [known.patterns[step] for step in run.done]
    if len(only) == 1 and not only[0].is_named and only[0].weight == 0:
        return likely * _SAYS_LITTLE
    return likely


def _needs(template: Template, patterns: Mapping[str, LinePattern]) -> dict[str, frozenset[str]]:
    """What must be done before each step, of what can be known again: through steps that cannot be
    known again to what they depend on."""
    groups: dict[str, set[str]] = {}
    for step in template.steps:
        if step.parallel_group:
            groups.setdefault(step.parallel_group, set()).add(step.id)
    direct = {
        step.id: {m for name in step.depends_on for m in groups.get(name, {name})}
        for step in template.steps
    }
    return {step: frozenset(_known_before(step, direct, patterns)) for step in patterns}


def _known_before(
    step: str, direct: Mapping[str, set[str]], patterns: Mapping[str, LinePattern]
) -> set[str]:
    found: set[str] = set()
    waiting, seen = [step], {step}
    while waiting:
        for before in direct.get(waiting.pop(), ()):
            if before in seen:
                continue
            seen.add(before)
            if before in patterns:
                found.add(before)
            else:
                waiting.append(before)
    return found
