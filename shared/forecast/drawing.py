"""What becomes of each attempt, drawn from its step's model and a seed.

* The first attempts of all runs at a step are drawn at once; later ones for the runs that get that
  far. What only some runs ask for (an instance of a loop, an answer) is drawn when they do, from a
  generator of the run's own. So what one run draws does not depend on what another one does.
* An attempt that takes longer than its timeout has timed out. One whose agent dies is found to be
  lost some time after.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.forecast import priors
from shared.forecast.models import Models, StepModel
from shared.workflow.binding import base

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_ATTEMPTS: Final = 40
"""A run that has tried a step so often has failed: more is never drawn."""
MAX_MS: Final = 400 * 24 * 3_600_000
"""Nothing lasts longer than the longest timeout."""


class Fate(IntEnum):
    """What becomes of an attempt."""

    SUCCEEDED = 0
    FAILED = 1
    FAILED_FOR_GOOD = 2
    TIMED_OUT = 3
    LOST = 4
    ABSENT = 5


FAILURES: Final = (Fate.FAILED, Fate.FAILED_FOR_GOOD, Fate.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What becomes of one attempt, and after how many milliseconds of running."""

    fate: Fate
    lasted_ms: int


@dataclass(frozen=True, slots=True)
class _Round:
    """The attempts of one number at one step: of which runs, and what becomes of each."""

    runs: Ints
    fates: Ints
    lasted_ms: Ints


class Draws:
    """Everything that is drawn for `runs` runs."""

    def __init__(self, models: Models, runs: int, seed: int) -> None:
        self.runs = runs
        self._models = models
        self._seed = seed
        self._rounds: dict[str, list[_Round]] = {}
        self._holds: dict[tuple[str, int], NDArray[np.bool_]] = {}
        self._own: dict[int, np.random.Generator] = {}
        self._kept: dict[tuple[int, str, int], Drawn] = {}
        self._waits: Ints | None = None

    def rounds(self, step: str) -> list[_Round]:
        """The attempts at a step in all runs, one entry for each number of an attempt; a run is in
        those that its step comes to if nothing else stops it."""
        if step not in self._rounds:
            self._rounds[step] = self._draw_rounds(self._models.steps[step])
        return self._rounds[step]

    def attempt(self, run: int, key: str, number: int) -> Drawn:
        """One attempt of one run. What was drawn for all runs is the same here."""
        if base(key) == key:
            rounds = self.rounds(key)
            if number <= len(rounds):
                found = rounds[number - 1]
                place = int(np.searchsorted(found.runs, run))
                if place < len(found.runs) and found.runs[place] == run:
                    return Drawn(Fate(int(found.fates[place])), int(found.lasted_ms[place]))
        return self._own_attempt(run, key, number)

    def holds(self, run: int, step: str, place: int) -> bool:
        """Whether a condition holds of which nobody knows: number `place` of the step's."""
        return bool(self.all_hold(step, place)[run])

    def all_hold(self, step: str, place: int) -> NDArray[np.bool_]:
        """The same for all runs."""
        if (step, place) not in self._holds:
            generator = self._generator(f"holds {step} {place}")
            rate = self._models.steps[step].holds.mean
            self._holds[step, place] = generator.random(self.runs) < rate
        return self._holds[step, place]

    def round_ends(self, run: int, step: str) -> bool:
        """Whether what `until` waits for holds after a round."""
        return bool(self._of(run).random() < self._models.steps[step].repeats_end.mean)

    def instances(self, run: int, step: str) -> int:
        """How many items a loop has whose list is not known."""
        level = self._of(run).random()
        return max(round(self._models.steps[step].instances.at(level)), 0)

    def wait_ms(self, run: int, step: str, people: int = 1) -> int:
        """How long until the last of so many people has answered, or until something happens that
        the step waits for; of the gate before everything `step` is empty."""
        model = self._models.steps.get(step)
        spread = model.wait_s if model is not None else self._models.workflow_wait_s
        level = max(self._of(run).random() for _ in range(max(people, 1)))
        return _whole_ms(spread.at(level))

    def verdict_ms(self, run: int) -> int:
        """How long until a person says what became of a lost step."""
        levels, values = priors.log_normal(*priors.VERDICT_S)
        return _whole_ms(float(np.interp(self._of(run).random(), levels, values)))

    def workflow_wait_ms(self, people: int) -> Ints:
        """How long the gate before everything takes in all runs."""
        if self._waits is None:
            waits = [self.wait_ms(run, "", people) for run in range(self.runs)]
            self._waits = np.array(waits, dtype=np.int64)
        return self._waits

    def _draw_rounds(self, model: StepModel) -> list[_Round]:
        """Attempt after attempt, for the runs in which another one follows."""
        generator = self._generator(f"attempts {model.step}")
        rounds: list[_Round] = []
        runs = np.arange(self.runs, dtype=np.int64)
        failed = np.zeros(self.runs, dtype=np.int64)
        while runs.size and len(rounds) < MAX_ATTEMPTS:
            fates, lasted = _draw(model, generator, runs.size, again=failed > 0)
            rounds.append(_Round(runs, fates, lasted))
            failed = failed + np.isin(fates, (Fate.FAILED, Fate.TIMED_OUT))
            follows = np.isin(fates, (Fate.FAILED, Fate.TIMED_OUT))
            follows &= failed < model.retry.max_attempts
            follows |= (fates == Fate.LOST) & (model.on_lost == "rerun")
            runs, failed = runs[follows], failed[follows]
        return rounds

    def _own_attempt(self, run: int, key: str, number: int) -> Drawn:
        """One that was not drawn for all runs; asked for twice it is the same."""
        place = (run, key, number)
        if place not in self._kept:
            before = self._kept.get((run, key, number - 1))
            again = before is not None and before.fate in FAILURES
            model = self._models.steps[base(key)]
            fates, lasted = _draw(model, self._of(run), 1, again=np.array([again]))
            self._kept[place] = Drawn(Fate(int(fates[0])), int(lasted[0]))
        return self._kept[place]

    def _of(self, run: int) -> np.random.Generator:
        if run not in self._own:
            self._own[run] = self._generator(f"run {run}")
        return self._own[run]

    def _generator(self, what: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self._seed, *what.encode()]))


def _draw(
    model: StepModel, generator: np.random.Generator, count: int, again: NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    """Fates and milliseconds of so many attempts; `again`: it follows a failed one."""
    chance = generator.random((4, count))
    if model.call is not None:
        return _draw_call(model.call.succeeded, model.call.lasted_ms, chance[0])
    lasted_s = np.interp(chance[3], model.duration_s.levels, model.duration_s.values)
    failing = np.where(again, model.again.mean, model.failing.mean)
    fates = np.where(
        chance[1] < failing,
        np.where(chance[2] < model.final, Fate.FAILED_FOR_GOOD, Fate.FAILED),
        Fate.SUCCEEDED,
    )
    fates = np.where(lasted_s >= model.timeout_s, Fate.TIMED_OUT, fates)
    fates = np.where(chance[0] >= 1 - model.lost, Fate.LOST, fates)
    fates = np.where((chance[0] < model.absent) & ~again, Fate.ABSENT, fates)
    lasted_s = np.minimum(lasted_s, model.timeout_s)
    found_s = lasted_s * chance[2] + priors.LOST_FOUND_S
    lasted_s = np.where(fates == Fate.LOST, found_s, lasted_s)
    lasted_s = np.where(fates == Fate.ABSENT, model.start_timeout_s, lasted_s)
    return fates.astype(np.int64), _all_whole_ms(lasted_s)


def _draw_call(
    succeeded: tuple[bool, ...], lasted_ms: tuple[int, ...], chance: Floats
) -> tuple[Ints, Ints]:
    """A sub-workflow does what one of its own simulated runs did."""
    which = (chance * len(succeeded)).astype(np.int64)
    fates = np.where(np.array(succeeded)[which], Fate.SUCCEEDED, Fate.FAILED)
    return fates.astype(np.int64), np.array(lasted_ms, dtype=np.int64)[which]


def _all_whole_ms(seconds: Floats) -> Ints:
    return np.clip(np.rint(seconds * 1000), 1, MAX_MS).astype(np.int64)


def _whole_ms(seconds: float) -> int:
    return min(max(round(seconds * 1000), 1), MAX_MS)
