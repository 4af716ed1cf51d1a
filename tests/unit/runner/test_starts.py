"""How often a step starts on one agent."""

from __future__ import annotations

from typing import Any

from services.executor.runner.starts import MAX_WAIT_S, Starts
from shared.contracts.tasks import Task
from shared.workflow.fleets import RateLimit


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def task(**fields: Any) -> Task:
    rest: dict[str, Any] = {
        "execution_id": "ex_1",
        "template_id": "t",
        "step": "s[3]",
        "attempt": 1,
        "leg": 0,
        "command": "noop",
        "parameters": {},
        "timeout_s": 1,
        "rate_limit": RateLimit(starts=2, per_s=10),
    }
    return Task(**{**rest, **fields})


def test_a_window_that_slides() -> None:
    """No more than so many starts in any window; the first of them makes room when it is past."""
    clock = Clock()
    starts = Starts(clock)
    assert starts.take(task()) == 0
    clock.now_s += 4
    assert starts.take(task(execution_id="ex_2")) == 0
    assert starts.take(task()) == 6
    clock.now_s += 6
    assert starts.take(task()) == 0
    assert starts.take(task()) == 4


def test_each_step_has_its_own() -> None:
    """A limit counts the starts of one step of one template, whichever instance of it that is."""
    starts = Starts(Clock())
    limit = RateLimit(starts=1, per_s=10)
    assert starts.take(task(rate_limit=limit)) == 0
    assert starts.take(task(step="s[4]", rate_limit=limit)) == 10
    assert starts.take(task(step="other", rate_limit=limit)) == 0
    assert starts.take(task(template_id="u", rate_limit=limit)) == 0


def test_what_has_no_limit_is_not_counted() -> None:
    """A step without a limit, and a leg that goes on with what was started, wait for nothing."""
    starts = Starts(Clock())
    limit = RateLimit(starts=1, per_s=10)
    starts.take(task(rate_limit=limit))
    assert starts.take(task(rate_limit=None)) == 0
    assert starts.take(task(rate_limit=limit, leg=1)) == 0
    starts.give_back(task(rate_limit=None))
    assert starts.take(task(rate_limit=limit)) == 10


def test_a_start_that_did_not_come_about() -> None:
    """What was not granted is not counted."""
    starts = Starts(Clock())
    limit = RateLimit(starts=1, per_s=1_000)
    assert starts.take(task(rate_limit=limit)) == 0
    assert starts.take(task(rate_limit=limit)) == MAX_WAIT_S
    starts.give_back(task(rate_limit=limit))
    assert starts.take(task(rate_limit=limit)) == 0
