"""All runs of a forecast: the times of most at once, and by the core what only the core can tell.

The core has the last word: of each kind of run it plays one, and where that does not end as the
others were said to, it plays them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.forecast.assumed import Fixed, is_drawn
from shared.forecast.drawing import Draws, Ints
from shared.forecast.models import Models
from shared.forecast.running import Played, Stage
from shared.forecast.shape import shape_of
from shared.forecast.timeline import NEVER, StepTimes, clean_times, failed_run, step_times
from shared.workflow.program import Program

MAX_MESSAGES: Final = 60_000
"""So many messages are played; a forecast that would need more has fewer runs."""


@dataclass(slots=True)
class Runs:
    """What became of each run. Times in milliseconds; `start` and `end` have a row for each run and
    a column for each step in the program's order, `NEVER` where it did not run. `played` counts the
    runs that the core played, and `timed` those whose times were found at once."""

    succeeded: NDArray[np.bool_]
    lasted: Ints
    start: Ints
    end: Ints
    failed_step: list[str]
    code: list[str]
    played: int = 0
    timed: int = 0
    ordered: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many runs there are."""
        return len(self.failed_step)


def simulate(
    program: Program, models: Models, draws: Draws, stage: Stage, *, memoised: bool = True
) -> Runs:
    """All runs; with `memoised=False` the core plays every one of them."""
    return _Simulation(program, models, draws, stage).run(memoised=memoised)


@dataclass(slots=True)
class _Simulation:
    program: Program
    models: Models
    draws: Draws
    stage: Stage
    runs: Runs = field(init=False)
    _messages: int = 0
    _done: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        count, steps = self.draws.runs, len(self.program.graph.order)
        self.runs = Runs(
            succeeded=np.zeros(count, dtype=bool),
            lasted=np.zeros(count, dtype=np.int64),
            start=np.full((count, steps), NEVER, dtype=np.int64),
            end=np.full((count, steps), NEVER, dtype=np.int64),
            failed_step=[""] * count,
            code=[""] * count,
        )
        self._done = np.zeros(count, dtype=bool)

    def run(self, *, memoised: bool) -> Runs:
        shape = shape_of(self.program)
        reasons = (*shape.ordered, *self._never_rendered())
        self.runs.ordered = reasons
        if memoised and not reasons:
            self._time_all(branching=shape.branching)
        self._play_rest()
        return self.runs

    def _never_rendered(self) -> list[str]:
        """The steps whose parameters cannot be rendered: they fail whenever they are reached."""
        steps = self.stage.program.steps.items()
        return [f"{n} cannot be rendered" for n, s in steps if not isinstance(s.parameters, Fixed)]

    def _time_all(self, *, branching: bool) -> None:
        program = self.program
        begins = self._begins()
        steps = {n: self._times_of(n) for n in program.graph.order}
        unclear = np.any([one.unclear for one in steps.values()], axis=0)
        fails = np.any([~one.completes for one in steps.values()], axis=0)
        self._time_clean(steps, np.flatnonzero(~fails & ~unclear), begins)
        if not branching:
            self._time_failed(np.flatnonzero(fails & ~unclear), begins)
        self.runs.timed = int(self._done.sum())

    def _begins(self) -> Ints:
        """When the steps of each run may begin: once what is before everything was approved."""
        policies = self.program.template.policies
        if not policies.asks_first:
            return np.zeros(self.draws.runs, dtype=np.int64)
        return self.draws.workflow_wait_ms(self.stage.people["workflow"])

    def _times_of(self, name: str) -> StepTimes:
        step = self.program.steps[name].step
        if step.command or step.workflow is not None:
            return step_times(self.program, self.models, self.draws, name)
        nothing = np.zeros(self.draws.runs, dtype=np.int64)
        return StepTimes(nothing, np.ones(self.draws.runs, dtype=bool), nothing.astype(bool))

    def _time_clean(self, steps: Mapping[str, StepTimes], rows: Ints, begins: Ints) -> None:
        """Runs in which no attempt fails for good, by what is drawn of their conditions."""
        if not rows.size:
            return
        held = self._conditions()[:, rows]
        kinds: dict[bytes, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            kinds[held[:, place].tobytes()].append(int(row))
        for kind in kinds.values():
            played = self._play(kind[0])
            if played is None or not played.succeeded:
                continue
            runs = np.array(kind, dtype=np.int64)
            times = clean_times(self.program, steps, runs, list(played.spans), begins)
            if int(times.lasted[0]) != played.lasted_ms:
                continue
            self.runs.succeeded[runs] = True
            self.runs.lasted[runs] = times.lasted
            self.runs.start[runs], self.runs.end[runs] = times.start, times.end
            self._done[runs] = True

    def _conditions(self) -> NDArray[np.bool_]:
        """What is drawn of the conditions that nobody can know, one row for each of them."""
        rows = [np.zeros(self.draws.runs, dtype=bool)]
        for name, compiled in self.stage.program.steps.items():
            for place, one in enumerate((compiled.when, *compiled.cases)):
                if is_drawn(one):
                    rows.append(self.draws.all_hold(name, place))
        return np.array(rows)

    def _time_failed(self, rows: Sequence[int] | Ints, begins: Ints) -> None:
        """Runs in which a step fails for good, by how everything ended."""
        first: dict[tuple[str, ...], Played | None] = {}
        for row in map(int, rows):
            found = failed_run(self.program, self.models, self.draws, row, int(begins[row]))
            if found.tied:
                continue
            if found.kind not in first:
                played = self._play(row)
                agrees = (
                    played is not None
                    and played.failed_step == found.failed_step
                    and played.lasted_ms == found.lasted_ms
                )
                first[found.kind] = played if agrees else None
            like = first[found.kind]
            if like is not None:
                self._keep(
                    row,
                    Played(
                        status=like.status,
                        succeeded=like.succeeded,
                        lasted_ms=found.lasted_ms,
                        spans=found.spans,
                        ends=like.ends,
                        failed_step=found.failed_step,
                        code=like.code,
                    ),
                )

    def _play_rest(self) -> None:
        """What is left is played, for as long as messages may be; the rest is left out."""
        for row in np.flatnonzero(~self._done):
            if self._play(int(row)) is None:
                self._cut(int(row))
                return

    def _play(self, row: int) -> Played | None:
        if self._messages >= MAX_MESSAGES:
            return None
        played = self.stage.play(row)
        self._messages += played.messages
        self.runs.played += 1
        self._keep(row, played)
        return played

    def _keep(self, row: int, played: Played) -> None:
        runs, order = self.runs, self.program.graph.order
        runs.succeeded[row] = played.succeeded
        runs.lasted[row] = played.lasted_ms
        runs.failed_step[row], runs.code[row] = played.failed_step, played.code
        for column, name in enumerate(order):
            span = played.spans.get(name)
            if span is not None:
                runs.start[row, column], runs.end[row, column] = span.start_ms, span.end_ms
        self._done[row] = True

    def _cut(self, count: int) -> None:
        """Keep the runs before this one."""
        runs = self.runs
        runs.succeeded, runs.lasted = runs.succeeded[:count], runs.lasted[:count]
        runs.start, runs.end = runs.start[:count], runs.end[:count]
        del runs.failed_step[count:], runs.code[count:]
        runs.timed = min(runs.timed, count)
