"""`forecast(...)`: what a run of a template would come to, as far as can be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from shared.contracts.forecasts import (
    CriticalStep,
    FailurePoint,
    Forecast,
    Method,
    Quantiles,
    Risk,
)
from shared.forecast.assumed import drawn_conditions, drawn_lists
from shared.forecast.chances import chance_of
from shared.forecast.drawing import Draws
from shared.forecast.experience import Experience, Nothing
from shared.forecast.models import Call, Models, models_of
from shared.forecast.outlook import assumed_ways, point_of, ways_back
from shared.forecast.paths import critical
from shared.forecast.running import Stage
from shared.forecast.simulating import Runs, simulate
from shared.forecast.world import MAX_DEPTH, World
from shared.validation.effects import effects_over
from shared.workflow.program import CompiledStep, Program
from shared.workflow.selecting import LiveAgent, why_unfit

RUNS: Final = 1_000
CHILD_RUNS: Final = 200
MAX_RISKS: Final = 20
MAX_NAMED: Final = 10
"""Steps that one assumption names."""
MAX_POINTS: Final = 50
"""Points of failure that are looked at."""


def forecast(
    program: Program,
    parameters: Mapping[str, Any],
    world: World,
    experience: Experience | None = None,
    *,
    runs: int = RUNS,
    seed: int = 0,
    memoised: bool = True,
) -> Forecast:
    """What `runs` simulated runs with these (complete, valid) parameters come to.

    The same arguments give the same forecast. `memoised=False` has the core play every run.
    """
    known = experience if experience is not None else Nothing()
    models, simulated = _simulate(
        program, parameters, world, known, runs=runs, seed=seed, memoised=memoised, depth=0
    )
    return _told(program, parameters, world, models, simulated, seed)


def _simulate(
    program: Program,
    parameters: Mapping[str, Any],
    world: World,
    experience: Experience,
    *,
    runs: int,
    seed: int,
    memoised: bool,
    depth: int,
) -> tuple[Models, Runs]:
    calls = _calls(program, world, seed=seed, depth=depth)
    unserved = _unserved(program, world.agents)
    models = models_of(program, experience, calls, unserved, world.learned)
    draws = Draws(models, runs, seed)
    stage = Stage(program, parameters, draws, world.agents)
    return models, simulate(program, models, draws, stage, memoised=memoised)


def _calls(program: Program, world: World, *, seed: int, depth: int) -> dict[str, Call]:
    """The simulated runs of each sub-workflow that is known."""
    found: dict[str, Call] = {}
    for name, compiled in program.steps.items():
        called = compiled.step.workflow
        known = world.templates.get((called.template, called.version)) if called else None
        if known is None or depth >= MAX_DEPTH:
            continue
        _, runs = _simulate(
            known.program,
            {},
            world,
            known.experience,
            runs=CHILD_RUNS,
            seed=seed + 1,
            memoised=True,
            depth=depth + 1,
        )
        lasted = tuple(int(one) for one in runs.lasted)
        found[name] = Call(tuple(bool(one) for one in runs.succeeded), lasted)
    return found


def _unserved(program: Program, agents: Sequence[LiveAgent] | None) -> list[str] | None:
    if agents is None:
        return None
    return [
        name
        for name, one in program.steps.items()
        if one.step.command and not one.step.target.is_fleet and not _served(one, agents)
    ]


def _served(compiled: CompiledStep, agents: Sequence[LiveAgent]) -> bool:
    step = compiled.step
    host = step.target.host
    pinned = host is not None and "${{" not in host
    needs = step.target.labels, compiled.capabilities, step.any_capabilities
    return any(
        (not pinned or host in (one.name, one.host)) and not why_unfit(one, *needs)
        for one in agents
    )


def _told(
    program: Program,
    parameters: Mapping[str, Any],
    world: World,
    models: Models,
    runs: Runs,
    seed: int,
) -> Forecast:
    risks = _risks(runs)
    rates = {name: model.failing for name, model in models.steps.items() if model.call is None}
    share = {risk.step: risk.probability for risk in risks}
    failing = {name: share[name] for name in ("", *program.graph.order) if name in share}
    return Forecast(
        template_id=program.template.id,
        template_version=program.template.version,
        runs=runs.count,
        seed=seed,
        method=_method(runs),
        played=runs.played,
        learned_runs=models.runs,
        success=chance_of(int(runs.succeeded.sum()), runs.count, failing, rates, seed),
        duration_s=_quantiles(runs),
        critical_path=tuple(
            CriticalStep(step=name, share=round(share, 4), main=main)
            for name, share, main in critical(program, runs)
        ),
        risks=risks[:MAX_RISKS],
        failure_points=_failure_points(program, parameters, world, models, runs),
        figures=models.figures,
        assumptions=(
            *_assumptions(program, world, models, runs),
            *_assumed_of_expressions(program, parameters),
        ),
    )


def _method(runs: Runs) -> Method:
    if runs.ordered or not runs.timed:
        return "direct"
    return "memoised" if runs.timed == runs.count else "mixed"


def _quantiles(runs: Runs) -> Quantiles:
    lasted = runs.lasted[runs.succeeded] if runs.succeeded.any() else runs.lasted
    p50, p90, p99 = (float(v) / 1000 for v in np.quantile(lasted, (0.5, 0.9, 0.99)))
    return Quantiles(p50=round(p50, 3), p90=round(p90, 3), p99=round(p99, 3))


def _risks(runs: Runs) -> tuple[Risk, ...]:
    """The steps at which runs fail, the most frequent first; empty is the workflow as a whole."""
    failed = Counter(
        (runs.failed_step[row], runs.code[row]) for row in np.flatnonzero(~runs.succeeded)
    )
    by_step: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = {}
    for (step, code), count in failed.items():
        by_step[step] += count
        codes.setdefault(step, Counter())[code] += count
    total = sum(by_step.values())
    return tuple(
        Risk(
            step=step,
            share=round(count / total, 4),
            probability=round(count / runs.count, 4),
            code=min(codes[step].items(), key=lambda one: (-one[1], one[0]))[0],
        )
        for step, count in sorted(by_step.items(), key=lambda one: (-one[1], one[0]))
    )


def _failure_points(
    program: Program, parameters: Mapping[str, Any], world: World, models: Models, runs: Runs
) -> tuple[FailurePoint, ...]:
    """The steps that can fail the run, the most likely ones, in the program's order."""
    probability = {risk.step: risk.probability for risk in _risks(runs)}
    called = {key: one.program for key, one in world.templates.items()}
    ways = ways_back(program, parameters, called, effects_over(world.commands))
    can = [name for name in program.graph.order if _can_fail(program, models, name)]
    likely = set(sorted(can, key=lambda name: -probability.get(name, 0.0))[:MAX_POINTS])
    return tuple(
        point_of(program, name, probability.get(name, 0.0), ways) for name in can if name in likely
    )


def _can_fail(program: Program, models: Models, name: str) -> bool:
    step = program.steps[name].step
    runs = bool(step.command) or step.workflow is not None
    return runs and not step.continue_on_failure and models.steps[name].failing.mean > 0


def _assumptions(program: Program, world: World, models: Models, runs: Runs) -> list[str]:
    found: list[str] = []
    if models.runs == 0:
        learned = any(one.source == "command" for one in models.figures)
        of = "is assumed, or that of the same command elsewhere" if learned else "is assumed"
        found.append(f"no earlier run of this template is known: every rate {of}")
    if world.agents is None:
        found.append("which agents live is not known: one is assumed for every step")
    for name in models.lacking:
        found.append(f"no live agent can run {name}: it fails whenever it is reached")
    if program.template.policies.asks_first or any(s.asks for s in program.template.every_step):
        found.append("people approve, after a while")
    if any(s.step.concurrency for s in program.steps.values()) or program.concurrency is not None:
        found.append("slots of concurrency keys are free")
    unknown = [
        name
        for name, one in program.steps.items()
        if one.step.workflow is not None and models.steps[name].call is None
    ]
    found += [f"of the sub-workflow of {name} nothing is known" for name in unknown]
    if runs.ordered:
        found.append("the core played every run, since their order counts: " + runs.ordered[0])
    return found


def _assumed_of_expressions(program: Program, parameters: Mapping[str, Any]) -> list[str]:
    """Outputs are not simulated: what follows from them is drawn, or taken as it is written."""
    found = [
        f"outputs are not simulated: {what} of {_named(names)} {how}"
        for what, names, how in (
            ("conditions", drawn_conditions(program, parameters), "hold by chance"),
            ("lists", drawn_lists(program, parameters), "have a number of items by chance"),
        )
        if names
    ]
    unsaid = assumed_ways(program, parameters)
    if unsaid:
        found.append(
            "what changes something, and what undoes it, is taken as it is written where only a "
            f"run makes known with which values: {_named(unsaid)}"
        )
    return found


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
