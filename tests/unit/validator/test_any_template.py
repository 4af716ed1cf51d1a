"""Whatever a template does, a look at it ends with an answer."""

from __future__ import annotations

import random

import pytest

from shared.workflow.program import compile_template
from tests.simulation.core_templates import random_template
from tests.unit.validator.hive import SmallHive


@pytest.mark.parametrize("seed", range(24))
async def test_any_template_is_foreseen(seed: int) -> None:
    """Random templates with loops, fleets, gates, choices, calls and handlers, with some agents or
    none: every simulated run comes to an end, and nothing is guessed twice."""
    rng = random.Random(seed)
    made = random_template(rng)
    compile_template(made)
    hive = SmallHive()
    for number in range(rng.choice((0, 1, 3))):
        await hive.agent(f"agent-{number}", capabilities=(), labels={"zone": rng.choice("ab")})
    asked = {"parameters": rng.choice((None, {"flag": True, "n": 1})), "runs": 20, "seed": seed}
    first = await hive.ask(made, "paranoid", **asked)
    assert first.forecast is not None
    assert 0 < first.forecast.runs <= 20
    assert 0 <= first.forecast.success.low <= first.forecast.success.high <= 1
    assert first == await hive.ask(made, "paranoid", **asked)
