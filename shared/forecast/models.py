"""What is assumed of each step: earlier runs where there are any, priors where there are none.

A rate is a Beta distribution: the prior's, and what was seen on top of it. Of durations those seen
count alone once there are `ENOUGH` of them; before that the prior does, around their median.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from shared.contracts.forecasts import Figure, Source
from shared.forecast import priors
from shared.forecast.experience import LEVELS, Attempts, Experience, Seen, Share
from shared.forecast.learned import NOTHING_LEARNED, Learned, LearnedCommand
from shared.workflow.definition import OnLost, Step
from shared.workflow.program import CompiledStep, Program
from shared.workflow.retry_rule import Retry

ENOUGH: Final = 5
"""Attempts from which on durations are those that were seen."""
LEARNED: Final = 20
"""Attempts from which on a rate counts as learned."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happens, and how sure that is: Beta(`alpha`, `beta`); `seen` cases."""

    alpha: float
    beta: float
    seen: int = 0
    learned: bool = False
    """The prior was learned from other templates, not assumed."""

    @property
    def mean(self) -> float:
        """The expected rate, 0 to 1."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def variance(self) -> float:
        """How far the true rate may be from it, squared."""
        total = self.alpha + self.beta
        return self.alpha * self.beta / (total * total * (total + 1))

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return _source(self.seen, LEARNED, self.learned)


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of seconds (or of counts), as values at levels from 0 to 1."""

    levels: tuple[float, ...]
    values: tuple[float, ...]
    seen: int = 0
    enough: int = ENOUGH
    learned: bool = False

    @property
    def median(self) -> float:
        """The value in the middle."""
        return self.at(0.5)

    def at(self, level: float) -> float:
        """The value at a level, linear between those that are kept."""
        return float(np.interp(level, self.levels, self.values))

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return _source(self.seen, self.enough, self.learned)


@dataclass(frozen=True, slots=True)
class Call:
    """What became of the runs of a sub-workflow that were simulated: whether each succeeded, and
    after how many milliseconds."""

    succeeded: tuple[bool, ...]
    lasted_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StepModel:
    """What is assumed of the attempts at one step.

    `again`: the rate of failures right after a failure; `final`: the share of failures that are not
    worth another try; `lost`: an agent dies midway; `absent`: nobody is there to run it.
    """

    step: str
    failing: Rate
    again: Rate
    final: float
    lost: float
    absent: float
    duration_s: Spread
    holds: Rate
    repeats_end: Rate
    instances: Spread
    wait_s: Spread
    timeout_s: float
    start_timeout_s: float
    on_lost: OnLost
    retry: Retry
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Models:
    """The models of all steps, what the gate before the whole takes, and the figures of them all
    that tell where each comes from."""

    steps: Mapping[str, StepModel]
    workflow_wait_s: Spread
    runs: int
    figures: tuple[Figure, ...] = ()
    lacking: tuple[str, ...] = field(default=())


def models_of(
    program: Program,
    experience: Experience,
    calls: Mapping[str, Call],
    unserved: Collection[str] | None,
    learned: Learned = NOTHING_LEARNED,
) -> Models:
    """The models of a program's steps.

    `calls` has the simulated runs of the sub-workflows that are known, by step. `unserved` are the
    steps that no live agent can run, None where it is not known which agents live. `learned` is
    what commands did in any template.
    """
    steps = {
        name: _model(compiled, experience, calls.get(name), unserved, learned)
        for name, compiled in program.steps.items()
    }
    wait = spread_of(experience.wait_s("workflow"), *priors.APPROVAL_S)
    figures = [one for model in steps.values() for one in _figures(model, program)]
    if program.template.policies.asks_first:
        figures.append(_figure("", "wait_s", wait.median, wait.source, wait.seen))
    return Models(
        steps=steps,
        workflow_wait_s=wait,
        runs=experience.runs,
        figures=tuple(figures),
        lacking=tuple(sorted(unserved or ())),
    )


def rate_of(
    prior: float,
    times: int,
    cases: int,
    strength: float = priors.STRENGTH,
    *,
    learned: bool = False,
) -> Rate:
    """A prior rate, and `cases` in `times` on top of it."""
    held = min(max(cases, 0), times)
    alpha, beta = prior * strength + held, (1 - prior) * strength + times - held
    return Rate(alpha, beta, times, learned)


def spread_of(seen: Seen, median: float, spread: float, *, learned: bool = False) -> Spread:
    """What was seen, once that is enough; before that the prior, around the median of it."""
    if seen.count >= ENOUGH:
        return Spread(LEVELS, seen.at, seen.count)
    middle = seen.at[LEVELS.index(0.5)] if seen.count else median
    levels, values = priors.log_normal(max(middle, 0.001), spread)
    return Spread(levels, values, seen.count, learned=learned)


def _model(
    compiled: CompiledStep,
    experience: Experience,
    call: Call | None,
    unserved: Collection[str] | None,
    learned: Learned,
) -> StepModel:
    step = compiled.step
    seen = _attempts(step, experience)
    prior = priors.prior_of(step.command, step.parameters) if step.command else priors.CALL
    condition, rounds = experience.condition(step.id), experience.rounds(step.id)
    known = _known(step, learned)
    strength, again, final = priors.STRENGTH, max(priors.AGAIN, prior.failing), priors.FINAL
    if known is not None:
        prior, strength = known.prior(prior), known.weight
        again = rate_of(again, round(known.again), round(known.again_failed), 2.0).mean
        final = rate_of(final, round(known.failed), round(known.final), 4.0).mean
    of_others = known is not None
    duration = spread_of(seen.durations_s, prior.median_s, prior.spread, learned=of_others)
    hours = min(duration.median, step.timeout_s) / 3600
    absent = rate_of(priors.ABSENT, seen.ended, seen.absent).mean if step.command else 0.0
    if unserved is not None and step.id in unserved and step.command:
        absent = 1.0
    waits = priors.SIGNAL_S if step.wait_for is not None else priors.APPROVAL_S
    return StepModel(
        step=step.id,
        failing=rate_of(prior.failing, seen.ended, seen.failed, strength, learned=of_others),
        again=rate_of(again, seen.again, seen.again_failed, 2.0),
        final=rate_of(final, seen.failed, seen.final).mean,
        lost=_lost(hours, seen) if step.command else 0.0,
        absent=absent,
        duration_s=duration,
        holds=rate_of(priors.HOLDS, *_counted(condition), 2.0),
        repeats_end=rate_of(priors.HOLDS, *_counted(rounds), 2.0),
        instances=spread_of(experience.instances(step.id), priors.INSTANCES, 1.0),
        wait_s=spread_of(experience.wait_s(step.id), *waits),
        timeout_s=step.timeout_s,
        start_timeout_s=step.start_timeout_s,
        on_lost=compiled.on_lost,
        retry=step.retry,
        call=call,
    )


def _known(step: Step, learned: Learned) -> LearnedCommand | None:
    """What the step's command did in other templates, if that is enough. What waits lasts as long
    as it says: others tell nothing of that."""
    known = learned.get(step.command) if step.command != "wait" else None
    return known if known is not None and known.counts else None


def _attempts(step: Step, experience: Experience) -> Attempts:
    """Of a step that is pinned to an agent, those on that agent, once they are enough."""
    host = step.target.host
    pinned = experience.attempts(step.id, host) if host and "${{" not in host else None
    if pinned is not None and pinned.ended >= LEARNED:
        return pinned
    return experience.attempts(step.id) or Attempts()


def _counted(share: Share | None) -> tuple[int, int]:
    return (share.times, share.held) if share is not None else (0, 0)


def _lost(hours: float, seen: Attempts) -> float:
    """The chance that its agent dies midway: of the time that it takes, and of what was seen."""
    prior = 1 - math.exp(-hours * priors.LOST_PER_HOUR)
    return rate_of(prior, seen.ended + seen.lost, seen.lost).mean


def _figures(model: StepModel, program: Program) -> list[Figure]:
    step = program.steps[model.step].step
    name = model.step
    found: list[Figure] = []
    if step.command or step.workflow is not None:
        if model.call is None:
            failing, lasts = model.failing, model.duration_s
            found += [
                _figure(name, "failure_rate", failing.mean, failing.source, failing.seen),
                _figure(name, "duration_s", lasts.median, lasts.source, lasts.seen),
            ]
        else:
            count = len(model.call.succeeded)
            rate = 1 - sum(model.call.succeeded) / count
            middle = sorted(model.call.lasted_ms)[count // 2] / 1000
            found += [
                _figure(name, "failure_rate", rate, "simulated", count),
                _figure(name, "duration_s", middle, "simulated", count),
            ]
    if step.asks is not None or step.wait_for is not None:
        waits = model.wait_s
        found.append(_figure(name, "wait_s", waits.median, waits.source, waits.seen))
    return found


def _figure(step: str, what: Any, value: float, source: Source, seen: int) -> Figure:
    return Figure(step=step, what=what, value=round(value, 6), source=source, seen=seen)


def _source(seen: int, enough: int, learned: bool) -> Source:
    if seen == 0:
        return "command" if learned else "prior"
    return "history" if seen >= enough else "mixed"
