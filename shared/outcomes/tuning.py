"""What would run better with another timeout, more or fewer tries, smaller batches, another agent.

Every proposal says what would be gained, how many cases that rests on, and what speaks for it. The
rules, each with its least number of cases:

* *A timeout that is too long* (of `ENOUGH` successes all were much faster): three times the 99th
  percentile, and at least twice the longest that was seen. Gained: the time that a hang costs.
* *A timeout that is too short* (attempts time out while successes come close to it): twice as long.
  Gained: the share of what timed out that a log-normal tail says would have ended in time.
* *One more try*: failures that are worth another try, where another try after a failure helped: at
  this step, or, as far as that is not known, at others with the same command. Only for steps that
  are declared `idempotent`.
* *Fewer tries*: of `ENOUGH` tries after a failure hardly any helped. Gained: the time they take.
* *Smaller batches*: with more instances at once a step fails more often.
* *Another agent*: a step that is pinned to an agent fails there more often than on another one.

What a proposal rests on is a correlation in what was run; so it is tried as an experiment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, floor, log, log10
from statistics import NormalDist
from typing import Final, Literal

from shared.outcomes.believing import MATTERS, Beliefs, apart
from shared.outcomes.beta import Belief, belief
from shared.outcomes.lasting import DurationModel
from shared.outcomes.success import AttemptCounts, SuccessModel
from shared.outcomes.trials import NO_RUNS, TrialModel, VersionCounts
from shared.workflow.definition import Step, Template

ENOUGH: Final = 50
LEAST_TIMEOUT_S: Final = 5.0
LEAST_TIMEOUTS: Final = 5
LEAST_FAILURES: Final = 10
HELPS: Final = 0.3
"""One more try is proposed where it helps at least so often, to 97.5 %."""
HARDLY: Final = 0.1
"""Fewer are proposed where another try helps at most so often, to 97.5 %."""
AGAIN: Final = Belief(1.0, 1.0)
"""How often another try helps, before any was seen."""
OF_COMMAND: Final = 6.0
MAX_ATTEMPTS: Final = 5
"""More tries than this are never proposed."""

Setting = Literal["timeout_s", "retry.max_attempts", "target.batch", "foreach.concurrency",
                  "target.host"]  # fmt: skip
Value = float | int | str
Measure = Literal["failure_rate", "seconds"]


@dataclass(frozen=True, slots=True)
class Gain:
    """What a change is expected to do: to the failures of an attempt at the step (0 to 1), or to
    the seconds that it costs when it goes wrong. Between `low` and `high` it is with 95 %."""

    measure: Measure
    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """One change of one setting of one step. `cases`: on how many attempts it rests."""

    template_id: str
    version: str
    step: str
    setting: Setting
    current: Value
    proposed: Value
    gain: Gain
    cases: int
    why: str
    evidence: tuple[str, ...] = ()
    safe: bool = True
    """It may be applied without a person, where the template's policy says so."""
    base: VersionCounts = NO_RUNS
    """The runs of the version."""

    @property
    def id(self) -> str:
        """The same for the same setting of the same step."""
        return f"{self.template_id}.{self.step}.{self.setting}"


@dataclass(frozen=True)
class Evidence:
    """The models that proposals come from, at a moment."""

    success: SuccessModel
    durations: DurationModel
    trials: TrialModel
    now_ms: int
    beliefs: Beliefs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "beliefs", Beliefs(self.success, self.now_ms))


def proposals(template: Template, evidence: Evidence) -> tuple[Proposal, ...]:
    """What would run better, the most failures saved first, then the most seconds."""
    if template.policies.tuning == "off":
        return ()
    found = [one for step in template.every_step for one in _of_step(template, step, evidence)]
    return tuple(sorted(found, key=_worth))


def _worth(one: Proposal) -> tuple[bool, float, str]:
    return one.gain.measure == "seconds", one.gain.after - one.gain.before, one.id


def _of_step(template: Template, step: Step, evidence: Evidence) -> Iterator[Proposal]:
    counts = evidence.success.steps.get((template.id, step.id))
    if counts is None or not step.command:
        return
    seen = _Seen(template, step, counts, evidence)
    for rule in (_timeout, _retries, _batches, _agents):
        yield from rule(seen)


@dataclass(frozen=True)
class _Seen:
    template: Template
    step: Step
    counts: AttemptCounts
    evidence: Evidence

    def proposal(
        self,
        setting: Setting,
        current: Value,
        proposed: Value,
        gain: Gain,
        cases: float,
        why: str,
        *evidence: str,
        safe: bool = True,
    ) -> Proposal:
        return Proposal(
            template_id=self.template.id,
            version=self.template.version,
            step=self.step.id,
            setting=setting,
            current=current,
            proposed=proposed,
            gain=gain,
            cases=round(cases),
            why=why,
            evidence=evidence,
            safe=safe,
            base=self.evidence.trials.of_version(self.template.id, self.template.version),
        )


def _timeout(seen: _Seen) -> Iterator[Proposal]:
    yield from _too_long(seen)
    yield from _too_short(seen)


def _too_long(seen: _Seen) -> Iterator[Proposal]:
    sketch = seen.evidence.durations.of("step", seen.template.id, seen.step.id)
    timeout_s = seen.step.timeout_s
    if sketch.count < ENOUGH:
        return
    slow, slowest = (sketch.quantile(0.99) or 0.0) / 1_000, sketch.most_ms / 1_000
    proposed = rounded_up(max(3 * slow, 2 * slowest, LEAST_TIMEOUT_S))
    if proposed > timeout_s / 2:
        return
    cut = Belief(0.5, 0.5).after(0, sketch.count)
    hung = seen.counts.counts["timeouts"]
    yield seen.proposal(
        "timeout_s",
        timeout_s,
        proposed,
        Gain("seconds", timeout_s, proposed, proposed, proposed),
        sketch.count,
        f"what hangs is known after {proposed:g} s instead of {timeout_s:g} s",
        f"{sketch.count} attempts completed; 99 % of them within {slow:.3g} s, all within "
        f"{slowest:.3g} s",
        f"{hung:.0f} attempts timed out lately",
        f"at most {cut.interval[1]:.1%} of those that complete would be cut off",
    )


def _too_short(seen: _Seen) -> Iterator[Proposal]:
    counts, timeout_s = seen.counts.counts, seen.step.timeout_s
    sketch = seen.evidence.durations.of("step", seen.template.id, seen.step.id)
    timeouts, ended = counts["timeouts"], counts["ended"]
    if timeouts < LEAST_TIMEOUTS or sketch.count < LEAST_TIMEOUTS:
        return
    near = (sketch.quantile(0.95) or 0.0) / 1_000
    if near < timeout_s / 2:
        return
    share = timeouts / (timeouts + sketch.count)
    middle = (sketch.quantile(min(0.5 / (1 - share), 1.0)) or 0.0) / 1_000
    saved = saved_by_twice(middle, timeout_s, share)
    rate = Belief(0.5, 0.5).after(timeouts, max(ended - timeouts, 0.0))
    failing = counts["failed"] / max(ended, 1e-9)
    low, high = rate.interval
    yield seen.proposal(
        "timeout_s",
        timeout_s,
        rounded_up(2 * timeout_s),
        Gain(
            "failure_rate",
            failing,
            max(failing - rate.mean * saved, 0.0),
            max(failing - high * saved, 0.0),
            max(failing - low * saved, 0.0),
        ),
        ended,
        f"{rate.mean:.0%} of the attempts time out after {timeout_s:g} s, and those that complete "
        "come close to it",
        f"{timeouts:.0f} timeouts, {sketch.count} completed",
        f"95 % of those that completed took up to {near:.3g} s",
        f"with a log-normal tail {saved:.0%} of the timeouts would have completed in twice the "
        "time",
    )


def saved_by_twice(median_s: float, timeout_s: float, beyond: float) -> float:
    """Of what takes longer than the timeout, the share that takes at most twice as long, if
    durations are log-normal with this median and the share `beyond` the timeout; 0.5 where that
    cannot be said."""
    if not 0 < median_s < timeout_s or not 0 < beyond < 0.5:
        return 0.5
    normal = NormalDist()
    spread = log(timeout_s / median_s) / normal.inv_cdf(1 - beyond)
    still = 1 - normal.cdf(log(2 * timeout_s / median_s) / spread)
    return 1 - still / beyond


def _retries(seen: _Seen) -> Iterator[Proposal]:
    tries = seen.step.retry.max_attempts
    counts = seen.counts.counts
    helps = again_helps(seen)
    if tries < MAX_ATTEMPTS and seen.step.idempotent and counts["failed"] >= LEAST_FAILURES:
        worth = 1 - counts["final"] / counts["failed"]
        failing = Belief(0.5, 0.5).after(counts["failed"], counts["ended"] - counts["failed"])
        if helps.interval[0] >= HELPS and worth > 0.5 and failing.interval[0] > 0.01:
            yield _one_more(seen, helps, failing.mean, worth)
    if tries > 1 and counts["again"] >= ENOUGH and helps.interval[1] <= HARDLY:
        yield _fewer(seen, helps)


def _one_more(seen: _Seen, helps: Belief, failing: float, worth: float) -> Proposal:
    tries, counts = seen.step.retry.max_attempts, seen.counts.counts
    stuck = failing * (1 - worth * helps.mean) ** (tries - 1)
    low, high = (stuck * (1 - worth * share) for share in reversed(helps.interval))
    return seen.proposal(
        "retry.max_attempts",
        tries,
        tries + 1,
        Gain("failure_rate", stuck, stuck * (1 - worth * helps.mean), low, high),
        counts["ended"],
        f"another try after a failure helps {helps.mean:.0%} of the time",
        f"{counts['failed']:.0f} of {counts['ended']:.0f} attempts failed, {worth:.0%} of them "
        "such that another try makes sense",
        f"{counts['again']:.0f} tries after a failure were seen at this step",
    )


def _fewer(seen: _Seen, helps: Belief) -> Proposal:
    tries, counts, retry = seen.step.retry.max_attempts, seen.counts.counts, seen.step.retry
    sketch = seen.evidence.durations.of("step", seen.template.id, seen.step.id)
    lasts = (sketch.quantile(0.5) or 0.0) / 1_000
    waits = [min(retry.delay_s * retry.factor**n, retry.max_delay_s) for n in range(tries - 1)]
    before = sum(waits) + lasts * (tries - 1)
    return seen.proposal(
        "retry.max_attempts",
        tries,
        1,
        Gain("seconds", round(before, 3), 0.0, 0.0, 0.0),
        counts["again"],
        f"another try after a failure helps {helps.mean:.0%} of the time",
        f"{counts['again']:.0f} tries after a failure, of which {counts['again_failed']:.0f} "
        "failed, too",
    )


def again_helps(seen: _Seen) -> Belief:
    """How often another try after a failure helps at a step; leaning on its command elsewhere."""
    counts = seen.counts.counts
    own, own_failed = counts["again"], counts["again_failed"]
    again, failed = seen.evidence.beliefs.again_of.get(seen.counts.command, (own, own_failed))
    again, failed = max(again - own, 0.0), max(failed - own_failed, 0.0)
    elsewhere = AGAIN.after(max(again - failed, 0.0), failed)
    parent = belief(elsewhere.mean, min(elsewhere.weight, OF_COMMAND))
    return parent.after(own - own_failed, own_failed)


def _batches(seen: _Seen) -> Iterator[Proposal]:
    current = _at_once(seen.step)
    kept = seen.evidence.trials.crowds.get((seen.template.id, seen.step.id))
    if current is None or kept is None:
        return
    setting, at_once = current
    best: tuple[float, int, Belief, Belief] | None = None
    for limit in sorted(kept.counts)[1:]:
        few, many = (_failures(kept.counts, limit, below=side) for side in (True, False))
        if sum(few) < ENOUGH or sum(many) < ENOUGH or limit >= at_once:
            continue
        odds = apart(few, many)
        alone, crowd = Belief(0.5, 0.5).after(*few), Belief(0.5, 0.5).after(*many)
        worse = crowd.mean > alone.mean and odds >= MATTERS
        if worse and (best is None or odds > best[0]):
            best = odds, limit, alone, crowd
    if best is None:
        return
    _, limit, alone, crowd = best
    yield seen.proposal(
        setting,
        at_once,
        limit,
        Gain("failure_rate", crowd.mean, alone.mean, *alone.interval),
        alone.weight + crowd.weight - 2,
        f"with more than {limit} at once {crowd.mean:.0%} fail, with fewer {alone.mean:.0%}",
        f"{crowd.weight - 1:.0f} attempts with more than {limit} at once, {alone.weight - 1:.0f} "
        "with fewer",
    )


def _at_once(step: Step) -> tuple[Setting, int] | None:
    """The setting that says how many run at once, and how many those are; None where none does."""
    if step.foreach is not None:
        return "foreach.concurrency", step.foreach.concurrency
    batch = step.target.batch
    if step.target.is_fleet and step.target.strategy == "rolling" and isinstance(batch, int):
        return "target.batch", batch
    return None


def _failures(counts: dict[int, list[int]], limit: int, *, below: bool) -> tuple[float, float]:
    """Failed and completed attempts, of those with fewer others than `limit`, or of the rest."""
    some = [counted for crowd, counted in counts.items() if (crowd < limit) == below]
    failed = sum(one[1] for one in some)
    return float(failed), float(sum(one[0] for one in some) - failed)


def _agents(seen: _Seen) -> Iterator[Proposal]:
    host = seen.step.target.host
    if host is None or "${{" in host:
        return
    beliefs, success = seen.evidence.beliefs, seen.evidence.success
    here = (seen.template.id, seen.step.id)
    ran = beliefs.agents_of.get(here, ())
    if host not in ran:
        return
    known = {agent: beliefs.on_agent(*here, agent) for agent in ran}
    others = {a: b for a, b in known.items() if a != host}
    best = max(others, key=lambda a: (others[a].interval[0], a), default="")
    if not best or others[best].interval[0] <= known[host].interval[1]:
        return
    tally = success.on_agents[(*here, best)]
    low, high = others[best].interval
    yield seen.proposal(
        "target.host",
        host,
        best,
        Gain("failure_rate", 1 - known[host].mean, 1 - others[best].mean, 1 - high, 1 - low),
        success.on_agents[(*here, host)].runs + tally.runs,
        f"on {best} it fails {1 - others[best].mean:.0%} of the time, on {host} "
        f"{1 - known[host].mean:.0%}",
        f"{tally.succeeded} of {tally.runs} attempts on {best} completed",
        safe=False,
    )


def rounded_up(seconds: float) -> float:
    """The next figure that people would write: two digits, the second of them 0 or 5 from 20 on."""
    if seconds <= 0:
        return 0.0
    unit = 10.0 ** (floor(log10(seconds)) - 1)
    digits = ceil(seconds / unit - 1e-9)
    if digits > 20:
        digits = ceil(digits / 5) * 5
    return round(digits * unit, 6)
