"""What a fleet waits for: its targets, its pauses, its batches, and agents that are gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.api.explain import Severity
from shared.explain.picture import Picture
from tests.unit.explain.pictures import agent, finding, picture
from tests.unit.workflow.scenario import Run, step

S = Severity


def running(one: dict[str, Any]) -> Run:
    run = Run(one)
    run.request()
    return run


def rolling(**target: Any) -> Run:
    where = {"where": "true", "strategy": "rolling", **target}
    run = running(step("a", target=where))
    if target:
        run.target("a", "w1", "w2")
    return run


def fleet_asks() -> Picture:
    return picture(rolling())


def fleet_pauses() -> Picture:
    run = rolling(pause_between_s=60)
    run.succeed("a[0]")
    return picture(run)


def fleet_rolls() -> Picture:
    run = rolling(batch=2, max_failure=1)
    run.fail("a[0]", retryable=False)
    return picture(run)


def fleet_is_held() -> Picture:
    run = running(step("a", approval={}, target={"where": "true"}))
    run.target("a", "w1")
    return picture(run)


def fleet_is_stopped() -> Picture:
    run = running(step("a", target={"where": "true", "strategy": "rolling", "batch": 2}))
    run.target("a", "w1", "w2", "w3")
    run.start("a[1]")
    run.fail("a[0]", retryable=False)
    return picture(run)


def target_is_gone() -> Picture:
    run = rolling(batch=2)
    run.unplace("a[1]")
    return picture(run, agent("w1"))


def one_of_several() -> Picture:
    run = running(step("a", any_capabilities=["x", "y"]))
    run.unplace("a")
    return picture(run, agent("w1"))


TABLE: list[tuple[Callable[[], Picture], str, Severity, str, str]] = [
    (fleet_asks, "targets_asked", S.WAITS, "asked which agents it is to run on", "hv show x1"),
    (fleet_pauses, "batch_pause", S.WAITS, "pauses after batch 1 of 2", "hv show x1"),
    (fleet_rolls, "fleet", S.FOLLOWS, "batch 1 of 1: 1 of 2 targets have ended, 1 failed", "hv t"),
    (fleet_is_held, "fleet", S.FOLLOWS, "nothing has begun: 0 of 1 targets", "hv targets --of x1"),
    (fleet_is_stopped, "fleet", S.FOLLOWS, "stopped: 1 targets failed, and 0 may", "hv targets"),
    (target_is_gone, "nobody_fits", S.STUCK, "no live agent is w2: w1 is not w2", "hv agents"),
    (one_of_several, "nobody_fits", S.STUCK, "w1 has none of the capabilities x, y", "hv agents"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "cause", "severity", "words", "action"), TABLE)
def test_cause(
    make: Callable[[], Picture], cause: str, severity: Severity, words: str, action: str
) -> None:
    """The cause is found once, says what is the matter, and gives a command of `hv`."""
    found = finding(make(), cause)
    assert words in found.says
    assert found.severity is severity
    assert found.action.startswith(action)
