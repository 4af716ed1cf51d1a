"""The times of many runs at once, for programs in which the order of ends does not count.

* A step starts when the last one that it waits for has ended, and lasts as long as its attempts and
  the delays between them. What is skipped takes no time.
* Which steps run the core has said, for one run of each kind: two runs are of the same kind where
  every step ends the same way and every condition that is drawn holds in both or in neither.
* A run in which a step fails for good is followed here up to that moment: what runs then goes on
  until its attempt has ended, and nothing else begins. Again the core has played one of each kind:
  of the same kind are runs in which the same step fails first, in the same way, and what else is
  under way then is at the same points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.forecast.drawing import MAX_ATTEMPTS, Draws, Fate, Ints
from shared.forecast.models import Models
from shared.forecast.running import DISPATCH_MS, Span, execution_id
from shared.workflow.definition import OnLost
from shared.workflow.program import Program
from shared.workflow.retry import delay_ms

NEVER: Final = -1
"""The time of what did not happen."""


@dataclass(frozen=True, slots=True)
class Times:
    """When each step (column) of each run (row) began and ended, in milliseconds, `NEVER` where it
    did not run; and when each run ended."""

    start: Ints
    end: Ints
    lasted: Ints


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Of one step in all runs: how long it takes from when it may start, whether it completes, and
    whether only the core can tell."""

    lasts: Ints
    completes: NDArray[np.bool_]
    unclear: NDArray[np.bool_]


def step_times(program: Program, models: Models, draws: Draws, step: str) -> StepTimes:
    """The step in all runs, if nothing stops it."""
    rounds = draws.rounds(step)
    lasts = np.zeros(draws.runs, dtype=np.int64)
    completes = np.zeros(draws.runs, dtype=bool)
    unclear = np.zeros(draws.runs, dtype=bool)
    failed = np.zeros(draws.runs, dtype=np.int64)
    model, calls = models.steps[step], program.steps[step].step.workflow is not None
    for number, one in enumerate(rounds, 1):
        dispatch = np.where((one.fates == Fate.ABSENT) | calls, 0, DISPATCH_MS)
        lasts[one.runs] += dispatch + one.lasted_ms
        completes[one.runs] = one.fates == Fate.SUCCEEDED
        retried = one.runs[np.isin(one.fates, (Fate.FAILED, Fate.TIMED_OUT))]
        failed[retried] += 1
        for run in retried[failed[retried] < model.retry.max_attempts]:
            delay = delay_ms(model.retry, execution_id(int(run)), step, int(failed[run]))
            lasts[run] += delay
        asks = (one.fates == Fate.LOST) & (model.on_lost == OnLost.ASK)
        unclear[one.runs[asks]] = True
        if number == MAX_ATTEMPTS:
            unclear[one.runs] = True
    return StepTimes(lasts, completes, unclear)


def clean_times(
    program: Program, steps: Mapping[str, StepTimes], runs: Ints, ran: Sequence[str], begins: Ints
) -> Times:
    """The times of runs of one kind in which nothing fails for good: the steps `ran` do."""
    order = program.graph.order
    column = {name: index for index, name in enumerate(order)}
    start = np.full((len(runs), len(order)), NEVER, dtype=np.int64)
    end = np.zeros((len(runs), len(order)), dtype=np.int64)
    lasted = begins[runs].copy()
    sections = _sections(program)
    for section in sections:
        begin = lasted.copy()
        for name in section:
            before = [column[other] for other in program.graph.dependencies[name]]
            ready = end[:, before].max(axis=1) if before else begin
            end[:, column[name]] = ready
            if name in ran:
                start[:, column[name]] = ready
                end[:, column[name]] = ready + steps[name].lasts[runs]
                np.maximum(lasted, end[:, column[name]], out=lasted)
    return Times(start, end, lasted)


def _sections(program: Program) -> Iterator[tuple[str, ...]]:
    """The main steps, then those of `finally`: they begin when the ones before are over."""
    routes = program.graph.routes
    later = {*routes.on_failure, *routes.always}
    yield tuple(name for name in program.graph.order if name not in later)
    yield tuple(name for name in program.graph.order if name in routes.on_failure)
    yield tuple(name for name in program.graph.order if name in routes.always)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run in which a step fails for good, as it is followed here. Runs of the same `kind` end the
    same way."""

    kind: tuple[str, ...]
    spans: Mapping[str, Span]
    lasted_ms: int
    failed_step: str
    tied: bool
    """Something else happened in the same millisecond: only the core can tell what came first."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An attempt of a step: offered, begun, ended, and how."""

    offered: int
    begun: int
    ended: int
    fate: Fate
    last: bool


def failed_run(
    program: Program, models: Models, draws: Draws, run: int, begin_ms: int
) -> FailedRun:
    """Follow one run of a program that does not branch, up to the failure that ends it."""
    stretches = _stretches(program, models, draws, run, begin_ms)
    ends = {n: s[-1].ended for n, s in stretches.items() if s[-1].fate is not Fate.SUCCEEDED}
    failed_step = min(ends, key=lambda name: ends[name])
    moment = ends[failed_step]
    others: set[str] = set()
    first = ""
    spans: dict[str, Span] = {}
    last, tied = moment, False
    for name in program.graph.order:
        found = stretches.get(name)
        if found is None or found[0].offered > moment:
            continue
        tied |= _ties(found, moment, name == failed_step)
        if found[0].offered == moment:
            continue
        how, ended = _cut(found, moment)
        if name == failed_step:
            first = how
        else:
            others.add(how)
        spans[name] = Span(found[0].offered, ended)
        last = max(last, ended)
    kind = (failed_step, first, *sorted(others))
    return FailedRun(kind, spans, last, failed_step, tied)


def _stretches(
    program: Program, models: Models, draws: Draws, run: int, begin_ms: int
) -> dict[str, list[_Stretch]]:
    """The attempts of each step that is reached, as if nothing stopped them."""
    found: dict[str, list[_Stretch]] = {}
    for name in program.graph.order:
        before = program.graph.dependencies[name]
        if any(b not in found or found[b][-1].fate is not Fate.SUCCEEDED for b in before):
            continue
        ready = max((found[b][-1].ended for b in before), default=begin_ms)
        found[name] = _of_step(program, models, draws, run, name, ready)
    return found


def _of_step(
    program: Program, models: Models, draws: Draws, run: int, name: str, ready: int
) -> list[_Stretch]:
    model = models.steps[name]
    calls = program.steps[name].step.workflow is not None
    found: list[_Stretch] = []
    failed = 0
    while True:
        drawn = draws.attempt(run, name, len(found) + 1)
        absent = drawn.fate is Fate.ABSENT
        begun = ready if calls or absent else ready + DISPATCH_MS
        failed += drawn.fate in (Fate.FAILED, Fate.TIMED_OUT)
        again = drawn.fate in (Fate.FAILED, Fate.TIMED_OUT) and failed < model.retry.max_attempts
        rerun = drawn.fate is Fate.LOST and model.on_lost == OnLost.RERUN
        ended = begun + drawn.lasted_ms
        found.append(_Stretch(ready, begun, ended, drawn.fate, not (again or rerun)))
        if found[-1].last:
            return found
        ready = ended + (delay_ms(model.retry, execution_id(run), name, failed) if again else 0)


def _ties(found: Sequence[_Stretch], moment: int, is_first: bool) -> bool:
    """Whether anything of a step happens in the very millisecond of the failure."""
    moments = [t for one in found for t in (one.offered, one.begun, one.ended)]
    return moments.count(moment) > (1 if is_first else 0)


def _cut(found: Sequence[_Stretch], moment: int) -> tuple[str, int]:
    """How a step ends that has begun when another one fails, and when."""
    for one in found:
        if one.offered > moment:
            return "between attempts", moment
        if one.ended <= moment:
            if one.last:
                return str(one.fate.name), one.ended
            continue
        if one.begun > moment or one.fate is Fate.ABSENT:
            return "unclaimed", moment
        return f"running, then {one.fate.name}", one.ended
    return "between attempts", moment
