"""The turn of a rule: events come, a wait is over, a run has ended, somebody asks for something.

The law, for each event in its order:

1. One of another type, or for which `when` is false, is unmatched.
2. One that goes back to this rule, or to an execution of the template that the rule would start,
   is looped: what triggers itself is stopped.
3. One whose key was seen within the window is deduplicated.
4. With a debounce the event waits; one that waits already is replaced, and counts as debounced.
5. What would be too many executions in the throttle's time is throttled.
6. The rest is started, or failed with the reason why it cannot be.

Nothing is dropped without being counted. The id of an execution follows from the rule and the
event, so two coordinators that decide the same start one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from shared.automation.matching import fits, key_of, parameters_of
from shared.automation.messages import (
    AnyRequest,
    AutomationMessage,
    Deleted,
    Event,
    EventsReceived,
    Request,
    RunEnded,
    Saved,
)
from shared.automation.orders import ClearTimers, Found, Order, Outcome, SetTimer, StartRun
from shared.automation.requests import answered, done, refusal
from shared.automation.specs import RuleSpec
from shared.automation.starting import requested
from shared.automation.states import (
    RUNS,
    Handled,
    Pending,
    RuleState,
    Run,
    changed,
    newest,
)
from shared.automation.timetable import digest
from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import json_size
from shared.workflow.identity import time_sorted_id
from shared.workflow.messages import Actor, Cause, TimerFired

RECENT: Final = 100
"""Outcomes that are remembered, the newest: half of them of events that started something, failed
or would have gone round in circles."""
_NOTABLE: Final = frozenset({"started", "failed", "looped"})
MAX_KEYS: Final = 10_000
"""Keys that are remembered; beyond it those go first whose window ends first."""
MAX_PENDING: Final = 100
"""Events that may wait, each under its own key."""
MAX_EVIDENCE_BYTES: Final = 8 * 1024
TEMPLATE: Final = "template "
"""How a template is written in a chain."""


def rule_turn(
    state: RuleState | None,
    rule_id: str,
    message: AutomationMessage,
    at_ms: int,
    found: Found | None,
) -> Outcome:
    """Decide one message. `found` is the template as it is now."""
    if isinstance(message, Request):
        return _request(state, rule_id, message, at_ms, found)
    if state is None:
        return Outcome(None)
    turn = _Turn(state, at_ms, found)
    if isinstance(message, EventsReceived):
        for event in message.events:
            turn.take(event)
    elif isinstance(message, RunEnded):
        turn.run_ended(message)
    elif isinstance(message, TimerFired):
        turn.wait_is_over(message)
    return turn.outcome()


def _request(
    state: RuleState | None, rule_id: str, request: AnyRequest, at_ms: int, found: Found | None
) -> Outcome:
    refused = refusal(state, request)
    if state is None:
        if refused or not isinstance(request, Saved) or not isinstance(request.spec, RuleSpec):
            return Outcome(None)
        made = RuleState(
            id=rule_id,
            spec=request.spec,
            created_by=request.by,
            created_at_ms=at_ms,
            changed_by=request.by,
            changed_at_ms=at_ms,
        )
        return Outcome(answered(made, request))
    if refused:
        return Outcome(answered(state, request, refused))
    turn = _Turn(done(state, request, at_ms), at_ms, found)
    if isinstance(request, Saved | Deleted):
        turn.drop_pending()
    return turn.outcome()


@dataclass(slots=True)
class _Turn:
    state: RuleState
    at_ms: int
    found: Found | None
    orders: list[Order] = field(default_factory=list)
    counts: list[tuple[str, int]] = field(default_factory=list)
    recent: list[Handled] = field(init=False)
    seen: dict[str, int] = field(init=False)
    pending: dict[str, Pending] = field(init=False)
    totals: dict[str, int] = field(init=False)
    touched: bool = False

    def __post_init__(self) -> None:
        self.recent, self.totals = list(self.state.recent), dict(self.state.counts)
        self.seen, self.pending = dict(self.state.seen), dict(self.state.pending)

    def outcome(self) -> Outcome:
        if self.touched:
            self._set(
                recent=_kept(self.recent),
                counts=self.totals,
                seen=self.seen,
                pending=self.pending,
            )
        return Outcome(self.state, tuple(self.orders), tuple(self.counts))

    def take(self, event: Event) -> None:
        """One event, by the law."""
        self.touched = True
        self._count("received")
        if self.state.status != "active":
            self._keep(event, "ignored", f"the rule is {self.state.status}")
            return
        try:
            self._judge(event)
        except ExpressionError as error:
            self._keep(event, "failed", str(error)[:1_000])

    def _judge(self, event: Event) -> None:
        spec = self.state.spec
        if not fits(spec, event):
            self._keep(event, "unmatched")
            return
        self._count("matched")
        if loop := self._loop(event):
            self._keep(event, "looped", loop)
        elif self._is_known(key_of(spec.deduplicate.key, event)):
            self._keep(event, "deduplicated", f"within {spec.deduplicate.window_s} s")
        elif spec.debounce is not None:
            self._wait(event, _short(key_of(spec.debounce.key, event)))
        else:
            self._start(event)

    def _loop(self, event: Event) -> str:
        """Why this event would go round in circles, empty when it would not."""
        template = TEMPLATE + self.state.spec.template_id
        if self.state.id not in event.chain and template not in event.chain:
            return ""
        way = " → ".join((*event.chain, self.state.id, template))
        return f"it would trigger itself: {way}"[:1_000]

    def _is_known(self, key: str) -> bool:
        short = _short(key)
        if self.seen.get(short, 0) > self.at_ms:
            return True
        if len(self.seen) >= MAX_KEYS:
            left = {k: until for k, until in self.seen.items() if until > self.at_ms}
            ordered = sorted(left.items(), key=lambda item: item[1])
            self.seen = dict(ordered[-(MAX_KEYS - 1) :])
        self.seen[short] = self.at_ms + self.state.spec.deduplicate.window_s * 1_000
        return False

    def _wait(self, event: Event, key: str) -> None:
        waiting = self.pending.get(key)
        if waiting is not None:
            self._keep(waiting.event, "debounced", "a later one came while it waited")
            update = {"event": event, "last_ms": self.at_ms}
            self.pending[key] = waiting.model_copy(update=update)
            return
        if len(self.pending) >= MAX_PENDING:
            self._keep(event, "failed", f"{MAX_PENDING} events wait already, under other keys")
            return
        self._count("waited")
        made = Pending(event=event, first_ms=self.at_ms, last_ms=self.at_ms, generation=0)
        self._set_timer(key, made)

    def wait_is_over(self, fired: TimerFired) -> None:
        """A timer of a debounce: start what waits, if nothing came meanwhile."""
        key = fired.timer.removeprefix("wait-")
        waiting = self.pending.get(key)
        stale = waiting is None or waiting.generation != fired.generation
        if waiting is None or stale or self.state.status not in ("active", "paused"):
            return
        self.touched = True
        if self._due(waiting) > self.at_ms:
            self._set_timer(key, waiting)
            return
        del self.pending[key]
        if self.state.status == "paused":
            self._keep(waiting.event, "ignored", "the rule is paused")
            return
        try:
            self._start(waiting.event)
        except ExpressionError as error:
            self._keep(waiting.event, "failed", str(error)[:1_000])

    def _due(self, waiting: Pending) -> int:
        debounce = self.state.spec.debounce
        if debounce is None:
            return self.at_ms
        quiet = waiting.last_ms + debounce.wait_s * 1_000
        return min(quiet, waiting.first_ms + debounce.at_most_s * 1_000)

    def _set_timer(self, key: str, waiting: Pending) -> None:
        generation = self.state.generation + 1
        self._set(generation=generation)
        self.pending[key] = waiting.model_copy(update={"generation": generation})
        self.orders.append(SetTimer(f"wait-{key}", self._due(waiting), generation))

    def _start(self, event: Event) -> None:
        spec = self.state.spec
        throttle = spec.throttle
        if throttle is not None:
            since = self.at_ms - throttle.per_s * 1_000
            starts = tuple(start for start in self.state.starts if start > since)
            if len(starts) >= throttle.most:
                self._keep(event, "throttled", f"{throttle.most} in {throttle.per_s} s")
                return
            self._set(starts=(*starts, self.at_ms))
        request = requested(
            spec, parameters_of(spec, event), self.found, self._actor(event), self._cause(event)
        )
        if isinstance(request, str):
            self._keep(event, "failed", request)
            return
        execution_id = run_id(self.state.id, event)
        self.orders.append(StartRun(execution_id, request))
        run = Run(execution_id=execution_id, moment_ms=self.at_ms)
        self._set(runs=newest(self.state.runs, run, RUNS))
        self._keep(
            event,
            "started",
            execution_id=execution_id,
            template_version=request.template_version,
        )

    def _actor(self, event: Event) -> Actor:
        kind = self.state.spec.trigger or event.cause
        return Actor(kind="alert" if kind == "monitoring_alert" else "system", id=self.state.id)

    def _cause(self, event: Event) -> Cause:
        spec = self.state.spec
        shown = event.model_dump(mode="json", exclude={"chain", "cause"})
        if json_size(shown) > MAX_EVIDENCE_BYTES:
            shown = {**shown, "data": {"omitted": f"more than {MAX_EVIDENCE_BYTES // 1024} KiB"}}
        return Cause(
            kind=spec.trigger or event.cause,
            source=self.state.id,
            evidence={"rule": spec.name, "edition": self.state.edition, "event": shown},
            chain=(*event.chain, self.state.id),
        )

    def run_ended(self, ended: RunEnded) -> None:
        """An execution is over: that is shown beside its event."""
        self.touched = True
        self.recent = [
            one.model_copy(update={"ended": ended.status, "reason": ended.reason or one.reason})
            if one.execution_id == ended.execution_id
            else one
            for one in self.recent
        ]
        left = tuple(r for r in self.state.runs if r.execution_id != ended.execution_id)
        self._set(runs=left)

    def drop_pending(self) -> None:
        """What waits belongs to an edition that is no more."""
        self.touched = True
        for waiting in self.pending.values():
            self._keep(waiting.event, "ignored", "the rule was changed or deleted meanwhile")
        self.pending = {}
        self.orders.append(ClearTimers())

    def _keep(self, event: Event, outcome: Any, reason: str = "", **values: Any) -> None:
        self._count(outcome)
        last = self.recent[-1] if self.recent else None
        if (
            last is not None
            and not last.execution_id
            and not values
            and (last.outcome, last.reason, last.event_type) == (outcome, reason, event.type)
            and last.key == event.key
        ):
            self.recent[-1] = last.model_copy(update={"count": last.count + 1})
            return
        self.recent.append(
            Handled(
                event_id=event.id,
                event_type=event.type,
                key=event.key,
                at_ms=self.at_ms,
                outcome=outcome,
                reason=reason,
                **values,
            )
        )
        if len(self.recent) > 4 * RECENT:
            self.recent = list(_kept(self.recent))

    def _count(self, what: str) -> None:
        self.counts.append((what, 1))
        self.totals[what] = self.totals.get(what, 0) + 1

    def _set(self, **values: Any) -> None:
        self.state = changed(self.state, **values)


def _kept(recent: list[Handled]) -> tuple[Handled, ...]:
    """The newest, and of what a storm would drown the newest by themselves."""
    notable = [one for one in recent if one.outcome in _NOTABLE][-RECENT // 2 :]
    others = [one for one in recent if one.outcome not in _NOTABLE][-RECENT // 2 :]
    kept = {id(one) for one in (*notable, *others)}
    return tuple(one for one in recent if id(one) in kept)


def run_id(rule_id: str, event: Event) -> str:
    """The id of the execution of one event: the same wherever and whenever it is decided."""
    return time_sorted_id("ex", event.at_ms, digest(rule_id, event.id))


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:20]
