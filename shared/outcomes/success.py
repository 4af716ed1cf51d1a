"""How likely a run, a step, an agent is to succeed: the fold, and what it holds.

* A run that completed went well; one that failed, or completed with errors, did not. Cancelled runs
  and rollbacks are not counted, nor what a run kept from the one that it resumed.
* An attempt at a step went well or badly by itself; lost ones, and those for which nobody was
  there, are counted apart.
* An agent is held against what was expected of it: of each attempt, how often that step fails
  on all agents (`agents`).
* Of each parameter a bounded number of values is told apart; the rest are one.

What is believed is computed when it is asked for (`believing`): the state holds nothing but counts.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from shared.learning.records import AnyRecord, Forget, RunAttempt, RunRecord, Scalar
from shared.outcomes.agents import AgentCounts
from shared.outcomes.tally import Tally, faded, make_room

MAX_TEMPLATES: Final = 5_000
MAX_STEPS: Final = 20_000
MAX_ON_AGENTS: Final = 40_000
MAX_AGENTS: Final = 2_000
MAX_PARAMETERS: Final = 24
"""Parameters of a template whose values are told apart."""
MAX_VALUES: Final = 24
"""Values of a parameter that are told apart; the first that come."""
LATEST: Final = 64
"""Runs of a template that are kept one by one."""
USUAL: Final = 3.0
"""A step is expected to fail as often as all do, as far as so many attempts say."""
_NOBODY: Final = "no_agent"
TIMEOUT_CODES: Final = frozenset({"timeout", "timed_out"})


@dataclass(slots=True)
class ValueTally:
    """Runs with one value of a parameter. `user` is the first who used it; `shared` once another
    one has, too: only then may it be shown to others."""

    tally: Tally = field(default_factory=Tally)
    user: str = ""
    shared: bool = False


@dataclass(slots=True)
class TemplateCounts:
    """The runs of one template, and those with each value (as JSON text) of each parameter.
    `latest`: the times of its latest runs (epoch seconds), those that went badly negative."""

    category: str = ""
    version: str = ""
    tally: Tally = field(default_factory=Tally)
    values: dict[str, dict[str, ValueTally]] = field(default_factory=dict)
    latest: list[int] = field(default_factory=list)


COUNTED: Final = ("ended", "failed", "final", "lost", "absent", "again", "again_failed", "timeouts")


@dataclass(slots=True)
class AttemptCounts:
    """Attempts at one step, fading like a tally. Named as in `shared.forecast.experience`;
    `timeouts` are the failures that the step's timeout made."""

    command: str = ""
    at_ms: int = 0
    attempts: int = 0
    counts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0.0))
    tally: Tally = field(default_factory=Tally)

    def add(self, one: RunAttempt, before: RunAttempt | None, at_ms: int) -> None:
        """Count an attempt that followed `before` (None: it was the first)."""
        self._move_to(at_ms)
        worth = faded(self.at_ms - at_ms)
        self.attempts += 1
        if one.code == _NOBODY:
            self.counts["absent"] += worth
            return
        if one.outcome == "lost":
            self.counts["lost"] += worth
            return
        failed = one.outcome == "failed"
        again = before is not None and before.outcome == "failed"
        seen = {
            "ended": True,
            "failed": failed,
            "final": failed and not one.retryable,
            "again": again,
            "again_failed": again and failed,
            "timeouts": failed and one.code in TIMEOUT_CODES,
        }
        for name, counts in seen.items():
            self.counts[name] += worth * counts
        self.tally.add(not failed, at_ms)

    def _move_to(self, at_ms: int) -> None:
        if at_ms > self.at_ms:
            left = faded(at_ms - self.at_ms) if self.at_ms else 1.0
            self.counts = {name: value * left for name, value in self.counts.items()}
            self.at_ms = at_ms


@dataclass(slots=True)
class Touched:
    """What runs were about since somebody looked; no part of what is saved."""

    templates: dict[str, None] = field(default_factory=dict)
    categories: dict[str, None] = field(default_factory=dict)
    commands: dict[str, None] = field(default_factory=dict)
    agents: dict[str, None] = field(default_factory=dict)

    def note(self, run: RunRecord) -> None:
        """A run was counted."""
        self.templates[run.template_id] = None
        self.categories[run.category] = None
        for one in run.attempts:
            self.commands[one.command] = None
            if one.agent:
                self.agents[one.agent] = None


StepKey = tuple[str, str]
AgentKey = tuple[str, str, str]


class SuccessModel:
    """Counts what became of runs; a fold."""

    name = "outcomes-success"
    version = 2
    personal = False

    def __init__(self) -> None:
        self.templates: dict[str, TemplateCounts] = {}
        self.steps: dict[StepKey, AttemptCounts] = {}
        self.on_agents: dict[AgentKey, Tally] = {}
        self.agents: dict[str, AgentCounts] = {}
        self.attempted = Tally()
        """All attempts, whatever their step."""
        self.at_ms = 0
        self.runs = 0
        self.touched = Touched()

    def apply(self, item: AnyRecord, place: int) -> None:  # noqa: ARG002 - the fold's form
        """Count a run."""
        if not isinstance(item, RunRecord) or item.rollback_of:
            return
        self.at_ms = max(self.at_ms, item.at_ms)
        self.touched.note(item)
        for one, before in attempts_in_order(item):
            self._add_attempt(item, one, before)
        if item.status != "cancelled":
            self._add_run(item)
        self._make_room()

    def forget(self, order: Forget) -> bool:  # noqa: ARG002 - the fold's form
        """Orders name commands and feedback, which this never sees."""
        return True

    def save(self) -> bytes:
        """The whole state."""
        state = {
            "version": self.version,
            "at_ms": self.at_ms,
            "runs": self.runs,
            "attempted": self.attempted.state(),
            "templates": {key: _template_state(one) for key, one in self.templates.items()},
            "steps": [[*key, *_attempts_state(one)] for key, one in self.steps.items()],
            "on_agents": [[*key, one.state()] for key, one in self.on_agents.items()],
            "agents": {key: one.state() for key, one in self.agents.items()},
        }
        return packed(state)

    def load(self, data: bytes) -> None:
        """Be as the model that saved `data`; raises ValueError for anything else."""
        state = unpacked(data, self.version)
        self.at_ms, self.runs = state["at_ms"], state["runs"]
        self.attempted = Tally.restored(state["attempted"])
        self.templates = {key: _template(one) for key, one in state["templates"].items()}
        self.steps = {(one[0], one[1]): _attempts(one[2:]) for one in state["steps"]}
        self.on_agents = {(a, b, c): Tally.restored(one) for a, b, c, one in state["on_agents"]}
        self.agents = {key: AgentCounts.restored(one) for key, one in state["agents"].items()}

    def _add_run(self, run: RunRecord) -> None:
        self.runs += 1
        counts = self.templates.setdefault(run.template_id, TemplateCounts())
        counts.category, counts.version = run.category, run.template_version
        well = run.status == "completed"
        counts.tally.add(well, run.at_ms)
        at_s = run.at_ms // 1_000
        counts.latest = [*counts.latest[1 - LATEST :], at_s if well else -at_s]
        for name, value in run.parameters.items():
            self._add_value(counts, name, value, run, well)

    def _add_value(
        self, counts: TemplateCounts, name: str, value: Scalar, run: RunRecord, well: bool
    ) -> None:
        if name not in counts.values and len(counts.values) >= MAX_PARAMETERS:
            return
        values = counts.values.setdefault(name, {})
        text = json.dumps(value)
        if text not in values and len(values) >= MAX_VALUES:
            return
        kept = values.setdefault(text, ValueTally(user=run.by))
        kept.tally.add(well, run.at_ms)
        kept.shared = kept.shared or run.by != kept.user

    def _add_attempt(self, run: RunRecord, one: RunAttempt, before: RunAttempt | None) -> None:
        at_ms = one.ended_at_ms or run.at_ms
        counts = self.steps.setdefault((run.template_id, one.step), AttemptCounts())
        counts.command = one.command
        tried = one.outcome != "lost" and one.code != _NOBODY
        if tried and one.agent:
            agent = self.agents.setdefault(one.agent, AgentCounts())
            agent.add(one.outcome == "failed", self._expected(counts), at_ms)
            key = (run.template_id, one.step, one.agent)
            self.on_agents.setdefault(key, Tally()).add(one.outcome == "completed", at_ms)
            self.attempted.add(one.outcome == "completed", at_ms)
        counts.add(one, before, at_ms)

    def _expected(self, counts: AttemptCounts) -> float:
        """How likely an attempt at a step fails on any agent: as all attempts do, as far as the
        step's own say nothing."""
        own, all_of_it = counts.tally, self.attempted
        usual = (all_of_it.bad + 0.4) / (all_of_it.good + all_of_it.bad + 8.0)
        return (own.bad + USUAL * usual) / (own.good + own.bad + USUAL)

    def _make_room(self) -> None:
        make_room(self.templates, MAX_TEMPLATES, lambda one: one.tally.at_ms)
        make_room(self.steps, MAX_STEPS, lambda one: one.at_ms)
        make_room(self.on_agents, MAX_ON_AGENTS, lambda one: one.at_ms)
        make_room(self.agents, MAX_AGENTS, lambda one: one.at_ms)


def attempts_in_order(run: RunRecord) -> Iterator[tuple[RunAttempt, RunAttempt | None]]:
    """Each attempt of a run with the one before it at the same instance of its step."""
    before: RunAttempt | None = None
    order = sorted(run.attempts, key=lambda one: (one.step, one.instance, one.attempt))
    for one in order:
        same = before is not None and (before.step, before.instance) == (one.step, one.instance)
        follows = same and before is not None and before.attempt + 1 == one.attempt
        yield one, before if follows else None
        before = one


def packed(state: Any) -> bytes:
    """A state as bytes: equal states give equal bytes."""
    return zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 1)


def unpacked(data: bytes, version: int) -> Any:
    """What `packed` was given; raises ValueError for anything else, or of another version."""
    try:
        state = json.loads(zlib.decompress(data))
    except (zlib.error, ValueError) as error:
        raise ValueError("this is no snapshot of a model") from error
    if not isinstance(state, dict) or state.get("version") != version:
        raise ValueError(f"this is no snapshot of version {version} of the model")
    return state


def _template_state(one: TemplateCounts) -> list[Any]:
    values = {
        name: {text: [v.tally.state(), v.user, v.shared] for text, v in some.items()}
        for name, some in one.values.items()
    }
    return [one.category, one.version, one.tally.state(), values, one.latest]


def _template(state: list[Any]) -> TemplateCounts:
    category, version, tally, values, latest = state
    restored = {
        name: {text: ValueTally(Tally.restored(t), u, s) for text, (t, u, s) in some.items()}
        for name, some in values.items()
    }
    return TemplateCounts(category, version, Tally.restored(tally), restored, latest)


def _attempts_state(one: AttemptCounts) -> list[Any]:
    counts = [one.counts[name] for name in COUNTED]
    return [one.command, one.at_ms, one.attempts, counts, one.tally.state()]


def _attempts(state: list[Any]) -> AttemptCounts:
    command, at_ms, attempts, counts, tally = state
    named = dict(zip(COUNTED, counts, strict=True))
    return AttemptCounts(command, at_ms, attempts, named, Tally.restored(tally))
