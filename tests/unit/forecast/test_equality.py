"""Times that are found at once are those that the core comes to."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.forecast.drawing import Draws
from shared.forecast.experience import Nothing
from shared.forecast.models import Call, Models, Rate, StepModel, models_of
from shared.forecast.running import Stage
from shared.forecast.simulating import Runs, simulate
from shared.workflow.program import Program
from tests.unit.forecast.templates import compiled, random_program, shell

RUNS = 40


def simulated(program: Program, seed: int, *, memoised: bool, runs: int = RUNS) -> Runs:
    """Runs in which everything goes wrong much more often than it does."""
    models = worse(models_of(program, Nothing(), called(program), None))
    draws = Draws(models, runs, seed)
    return simulate(program, models, draws, Stage(program, {}, draws, None), memoised=memoised)


def called(program: Program) -> dict[str, Call]:
    """Of sub-workflows every other one fails."""
    steps = program.template.every_step
    return {s.id: Call((True, False), (700, 9_000)) for s in steps if s.workflow is not None}


def worse(models: Models, only: Collection[str] | None = None) -> Models:
    """The same steps, failing, dying and missing more often."""

    def bad(model: StepModel) -> StepModel:
        return StepModel(
            **{name: getattr(model, name) for name in StepModel.__slots__}
            | {"failing": Rate(1, 5), "lost": 0.06, "absent": 0.04}
        )

    steps = {
        n: bad(m) if m.lost and (only is None or n in only) else m for n, m in models.steps.items()
    }
    return Models(steps, models.workflow_wait_s, models.runs)


@pytest.mark.parametrize("branching", [False, True])
@settings(max_examples=40)
@given(seed=st.integers(0, 10**9))
def test_times_at_once_are_those_of_the_core(branching: bool, seed: int) -> None:
    """For random templates every run ends the same way, at the same millisecond, through the same
    steps at the same times."""
    program = random_program(seed, branching=branching)
    at_once = simulated(program, seed, memoised=True)
    one_by_one = simulated(program, seed, memoised=False)
    assert at_once.succeeded.tolist() == one_by_one.succeeded.tolist()
    assert at_once.lasted.tolist() == one_by_one.lasted.tolist()
    assert at_once.failed_step == one_by_one.failed_step
    assert np.array_equal(at_once.start, one_by_one.start)
    ran = one_by_one.start >= 0
    assert np.array_equal(at_once.end[ran], one_by_one.end[ran])
    assert at_once.code == one_by_one.code


def test_most_times_are_found_at_once() -> None:
    """Of a template without branches the core plays a few runs only, failed ones included."""
    program = compiled([shell(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(10)])
    runs = simulated(program, 1, memoised=True, runs=500)
    assert runs.timed > 450
    assert runs.played < 120
    assert 0 < runs.succeeded.sum() < 500
