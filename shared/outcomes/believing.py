"""What is believed of templates, steps and agents, from the counts of `success`.

Two trees (`leaning`): a template's runs lean on its category, and that on all templates; the
attempts at a step lean on its command wherever it runs, and that on all commands. The top is
assumed. On an agent the odds of failure are multiplied by the agent's factor, and what the step
showed on that agent counts on top of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from shared.outcomes.agents import Factor, factor_of
from shared.outcomes.beta import Belief, belief, log_beta
from shared.outcomes.leaning import Above, Leaned, Pool, lean
from shared.outcomes.mattering import Cases, Effect, as_all_say, changes, effects
from shared.outcomes.success import SuccessModel, TemplateCounts
from shared.outcomes.tally import faded

ASSUMED_RUN: Final = Belief(3.2, 0.8)
"""Of runs where nothing is known at all: a judgement, worth four runs."""
ASSUMED_ATTEMPT: Final = Belief(7.6, 0.4)
"""Of attempts, likewise: worth eight."""
IN_CATEGORY: Final = 6.0
"""A template leans on its category as on so many runs."""
IN_ALL: Final = 10.0
"""A category leans on all."""
OF_COMMAND: Final = 10.0
"""A step leans on its command as on so many attempts."""
OF_ALL_COMMANDS: Final = 10.0
ON_AGENT: Final = 10.0
"""What a step does on one agent leans on what it does on all as on so many attempts."""
MATTERS: Final = 3.0
"""Logarithm of the odds (20 to 1) from which on a parameter's value is taken to matter."""


@dataclass(frozen=True, slots=True)
class ValueEffect:
    """A value of a parameter (JSON text) that may matter, and the plain counts of runs with it.
    `shared`: several users have used it."""

    effect: Effect
    runs: int
    succeeded: int
    shared: bool


class Beliefs:
    """What is believed at a moment (epoch milliseconds)."""

    def __init__(self, model: SuccessModel, now_ms: int) -> None:
        self._model = model
        self._now_ms = now_ms

    def template(self, template_id: str, category: str = "") -> Leaned:
        """Of a run of a template; `category` is that of one that was never run."""
        counts = self._model.templates.get(template_id)
        category = counts.category if counts is not None else category
        own = self._own(counts)
        mine = self._as_child(counts)
        in_category = self._categories.get(category, Pool())
        siblings = in_category.without(mine) if counts is not None else in_category
        others = _sum(p for name, p in self._as_children.items() if name != category)
        return lean(
            ASSUMED_RUN,
            (
                ("all", "", others, IN_ALL),
                ("category", category, siblings, IN_CATEGORY),
                ("template", template_id, own, 0.0),
            ),
        )

    def command(self, command: str, without: str = "") -> Leaned:
        """Of an attempt at a step with this command of which nothing else is known; what the
        template `without` did is left out."""
        return lean(ASSUMED_ATTEMPT, self._above(command, without))

    def step(self, template_id: str, step: str, command: str = "") -> Leaned:
        """Of an attempt at a step; `command` is that of one that never ran."""
        counts = self._model.steps.get((template_id, step))
        command = counts.command if counts is not None else command
        above = self._above(command, template_id)
        if counts is None:
            return lean(ASSUMED_ATTEMPT, above)
        good, bad = counts.tally.at(self._now_ms)
        own = Pool(good, bad, counts.tally.runs, counts.tally.succeeded)
        return lean(ASSUMED_ATTEMPT, (*above, ("step", step, own, 0.0)))

    def on_agent(self, template_id: str, step: str, agent: str, command: str = "") -> Belief:
        """Of an attempt at a step on one agent."""
        everywhere = self.step(template_id, step, command).belief
        around = belief(
            moved(everywhere.mean, self.factor(agent).odds), min(ON_AGENT, everywhere.weight)
        )
        tally = self._model.on_agents.get((template_id, step, agent))
        return around.after(*tally.at(self._now_ms)) if tally is not None else around

    def factor(self, agent: str) -> Factor:
        """How many times as high the odds of failure are on an agent."""
        return factor_of(self._model.agents.get(agent))

    def lately(self, template_id: str, category: str = "") -> Belief:
        """Of a run of a template that may have changed: what `template` says, as far as it has
        not."""
        whole = self.template(template_id, category).belief
        counts = self._model.templates.get(template_id)
        if counts is None:
            return whole
        own = self._cases(counts)
        before = Belief(whole.alpha - own.good, whole.beta - own.bad)
        latest = [self._case(at_s) for at_s in reversed(counts.latest)]
        return as_all_say(whole, changes(before, own, latest))

    def values(self, template_id: str) -> tuple[ValueEffect, ...]:
        """The values of parameters that may matter, those first that are likeliest to."""
        counts = self._model.templates.get(template_id)
        if counts is None:
            return ()
        own = self._cases(counts)
        whole = self.template(template_id).belief
        before = Belief(whole.alpha - own.good, whole.beta - own.bad)
        by_name = {
            name: {text: Cases(*kept.tally.at(self._now_ms)) for text, kept in some.items()}
            for name, some in sorted(counts.values.items())
        }
        return tuple(_effect(one, counts) for one in effects(before, own, by_name))

    def _cases(self, counts: TemplateCounts) -> Cases:
        return Cases(*counts.tally.at(self._now_ms))

    def _case(self, at_s: int) -> Cases:
        """A single run; negative: it went badly."""
        worth = faded(self._now_ms - abs(at_s) * 1_000)
        return Cases(worth, 0.0) if at_s > 0 else Cases(0.0, worth)

    def _own(self, counts: TemplateCounts | None) -> Pool:
        if counts is None:
            return Pool()
        good, bad = counts.tally.at(self._now_ms)
        return Pool(good, bad, counts.tally.runs, counts.tally.succeeded)

    def _as_child(self, counts: TemplateCounts | None) -> Pool:
        own = self._own(counts)
        return Pool().with_child(own.good, own.bad, own.runs, own.succeeded, IN_CATEGORY)

    def _above(self, command: str, without: str) -> tuple[Above, Above]:
        """The levels above a step: other commands, and its command in other templates."""
        others = _sum(p for name, p in self._commands_as_children.items() if name != command)
        whole = self._commands.get(command, Pool())
        own = self._in_template.get((command, without), Pool()) if without else Pool()
        return (
            ("commands", "", others, OF_ALL_COMMANDS),
            ("command", command, whole.without(own), OF_COMMAND),
        )

    @cached_property
    def steps_of(self) -> Mapping[str, tuple[str, ...]]:
        """The steps of each template that ran."""
        found: dict[str, list[str]] = {}
        for template_id, step in self._model.steps:
            found.setdefault(template_id, []).append(step)
        return {name: tuple(some) for name, some in found.items()}

    @cached_property
    def agents_of(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The agents on which each step of a template ran."""
        found: dict[tuple[str, str], list[str]] = {}
        for template_id, step, agent in self._model.on_agents:
            found.setdefault((template_id, step), []).append(agent)
        return {key: tuple(some) for key, some in found.items()}

    @cached_property
    def again_of(self) -> Mapping[str, tuple[float, float]]:
        """By command: tries after a failure, and those of them that failed, too."""
        found: dict[str, tuple[float, float]] = {}
        for counts in self._model.steps.values():
            again, failed = found.get(counts.command, (0.0, 0.0))
            more = counts.counts["again"], counts.counts["again_failed"]
            found[counts.command] = again + more[0], failed + more[1]
        return found

    @cached_property
    def _categories(self) -> Mapping[str, Pool]:
        found: dict[str, list[Pool]] = {}
        for counts in self._model.templates.values():
            found.setdefault(counts.category, []).append(self._as_child(counts))
        return {name: _sum(some) for name, some in found.items()}

    @cached_property
    def _as_children(self) -> Mapping[str, Pool]:
        return {n: _child(pool, IN_ALL) for n, pool in self._categories.items()}

    @cached_property
    def _in_template(self) -> Mapping[tuple[str, str], Pool]:
        """By command and template: its steps, each as a child of the command."""
        found: dict[tuple[str, str], list[Pool]] = {}
        for (template_id, _), counts in self._model.steps.items():
            good, bad = counts.tally.at(self._now_ms)
            tally = counts.tally
            child = Pool().with_child(good, bad, tally.runs, tally.succeeded, OF_COMMAND)
            found.setdefault((counts.command, template_id), []).append(child)
        return {key: _sum(some) for key, some in found.items()}

    @cached_property
    def _commands(self) -> Mapping[str, Pool]:
        found: dict[str, list[Pool]] = {}
        for (command, _), pool in self._in_template.items():
            found.setdefault(command, []).append(pool)
        return {name: _sum(some) for name, some in found.items()}

    @cached_property
    def _commands_as_children(self) -> Mapping[str, Pool]:
        return {n: _child(pool, OF_ALL_COMMANDS) for n, pool in self._commands.items()}


def moved(success: float, factor: float) -> float:
    """A rate of success where the odds of failure are so many times as high."""
    odds = factor * (1 - success) / max(success, 1e-9)
    return 1 / (1 + odds)


def apart(some: tuple[float, float], rest: tuple[float, float]) -> float:
    """The logarithm of the odds that two groups have rates of their own, over that they share one:
    the Bayes factor of two Beta-binomials with Jeffreys' prior."""
    single = log_beta(0.5, 0.5)
    both = some[0] + rest[0], some[1] + rest[1]
    of_own = sum(log_beta(0.5 + g, 0.5 + b) - single for g, b in (some, rest))
    return of_own - (log_beta(0.5 + both[0], 0.5 + both[1]) - single)


def _effect(one: Effect, counts: TemplateCounts) -> ValueEffect:
    kept = counts.values[one.parameter][one.value]
    return ValueEffect(one, kept.tally.runs, kept.tally.succeeded, kept.shared)


def text_of(value: Any) -> str:
    """A parameter's value as the counts know it."""
    return json.dumps(value)


def _child(pool: Pool, strength: float) -> Pool:
    return Pool().with_child(pool.good, pool.bad, pool.runs, pool.succeeded, strength)


def _sum(pools: Any) -> Pool:
    total = Pool()
    for one in pools:
        total = Pool(
            total.good + one.good,
            total.bad + one.bad,
            total.runs + one.runs,
            total.succeeded + one.succeeded,
        )
    return total
