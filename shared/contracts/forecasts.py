"""Forecasts: what many simulated runs of a template came to."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Source = Literal["prior", "command", "mixed", "history", "simulated"]
"""Where a figure comes from: assumed; learned from the same command in other templates; one of
these, and moved by a few runs; seen in earlier runs; found by simulating a sub-workflow."""

Method = Literal["memoised", "mixed", "direct"]
"""Whether the core played one run of each kind, every run, or both."""

Share = float
"""From 0 to 1."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Chance(_Part):
    """A probability, and between which two it lies, 19 times in 20. `low` and `high` take into
    account both how many runs were simulated and how little is known of the steps."""

    probability: Share = Field(ge=0, le=1)
    low: Share = Field(ge=0, le=1)
    high: Share = Field(ge=0, le=1)


class Quantiles(_Part):
    """Half, nine in ten and 99 in 100 runs take no longer, in seconds."""

    p50: float
    p90: float
    p99: float


class Figure(_Part):
    """One number that the forecast rests on. `step` is empty for the workflow as a whole; `seen`
    counts the cases that it was learned from."""

    step: str
    what: Literal["failure_rate", "duration_s", "wait_s"]
    value: float
    source: Source
    seen: int = 0


class CriticalStep(_Part):
    """A step on the critical path: in `share` of the runs nothing can end earlier unless it does.
    `main`: it is on the path that is critical most often."""

    step: str
    share: Share
    main: bool = False


class Risk(_Part):
    """A step at which runs fail: in `share` of those that fail, and `probability` of all runs."""

    step: str
    share: Share
    probability: Share
    code: str = ""


class Undo(_Part):
    """What would become of one step's change if the run were rolled back."""

    step: str
    how: Literal["compensated", "captured", "irreversible", "unprotected"]
    reason: str = ""


class FailurePoint(_Part):
    """A step at which a run can fail, and what a rollback would do then: `undone` names the last
    steps before it, `counts` counts them all by how. `clean`: it gets back to the state before the
    run."""

    step: str
    probability: Share
    undone: tuple[Undo, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    clean: bool


class Forecast(_Part):
    """What `runs` simulated runs came to. The same `seed`, template and experience give the same.

    `played` counts the runs that the core played; `learned_runs` the earlier ones that the figures
    come from. `duration_s` is of the runs that succeed, or, where none does, of all.
    """

    template_id: str
    template_version: str
    runs: int
    seed: int
    method: Method
    played: int
    learned_runs: int
    success: Chance
    duration_s: Quantiles
    critical_path: tuple[CriticalStep, ...] = ()
    risks: tuple[Risk, ...] = ()
    failure_points: tuple[FailurePoint, ...] = ()
    figures: tuple[Figure, ...] = ()
    assumptions: tuple[str, ...] = ()
