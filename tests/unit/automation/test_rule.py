"""Turns of a rule: what each event becomes, and that nothing is dropped without being counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.automation import rule as rules
from shared.automation.matching import spec_problems
from shared.automation.messages import (
    AutomationMessage,
    Deleted,
    Event,
    EventsReceived,
    Paused,
    Resumed,
    RunEnded,
    Saved,
    TimerTaken,
)
from shared.automation.orders import Found, SetTimer, StartRun
from shared.automation.rule import TEMPLATE, run_id
from shared.automation.schedule import schedule_turn
from shared.automation.specs import RuleSpec, ScheduleSpec
from shared.automation.states import RuleState, ScheduleState
from shared.automation.turns import turn
from shared.workflow.definition import Template, TriggerKind
from shared.workflow.errors import CorruptStateError
from shared.workflow.messages import Actor, Cause, TimerFired

ID = "tr_1"
START = 1_767_268_800_000
TEMPLATE_FIX = Template.model_validate(
    {
        "id": "fix",
        "name": "Fix",
        "parameters": {"host": {"type": "string", "required": True}},
        "steps": [{"id": "a", "command": "noop"}],
    }
)


def spec_of(**spec: Any) -> RuleSpec:
    base = {
        "name": "r",
        "template_id": "fix",
        "receiver": "rc_1",
        "parameters": {"host": "${{ event.data.host }}"},
    }
    return RuleSpec.model_validate({**base, **spec})


def alert(number: int = 1, **more: Any) -> Event:
    fields = {
        "id": f"e{number}",
        "type": "alert.firing",
        "key": f"k{number}",
        "receiver": "rc_1",
        "at_ms": START,
        "cause": "monitoring_alert",
        "data": {"host": f"web-{number}", "severity": "critical"},
    }
    return Event.model_validate({**fields, **more})


@dataclass
class Desk:
    """One rule, moved as a coordinator would."""

    state: RuleState | None = None
    at_ms: int = START
    found: Found | None = field(default_factory=lambda: Found(TEMPLATE_FIX, "bob"))
    started: list[StartRun] = field(default_factory=list)
    timers: dict[str, SetTimer] = field(default_factory=dict)
    counted: int = 0
    requests: int = 0

    def say(self, message: AutomationMessage) -> None:
        outcome = turn(self.state, ID, message, self.at_ms, self.found)
        assert not isinstance(outcome.state, ScheduleState)
        self.state = outcome.state
        self.counted += sum(more for what, more in outcome.counts if what == "received")
        for order in outcome.orders:
            if isinstance(order, StartRun):
                self.started.append(order)
            elif isinstance(order, SetTimer):
                self.timers[order.name] = order

    def ask(self, kind: Any, **values: Any) -> str:
        self.requests += 1
        self.say(kind(request_id=f"r{self.requests}", by=Actor(id="ann"), **values))
        outcome = self.now.outcome_of(f"r{self.requests}")
        assert outcome is not None
        return outcome.refused

    def take(self, *events: Event, after_s: float = 0) -> None:
        self.at_ms += round(after_s * 1_000)
        self.say(EventsReceived(events=events))

    def ring(self, after_s: float) -> None:
        """Deliver the only timer that is set."""
        self.at_ms += round(after_s * 1_000)
        (timer,) = self.timers.values()
        self.say(TimerFired(timer=timer.name, generation=timer.generation))

    @property
    def now(self) -> RuleState:
        assert self.state is not None
        return self.state

    def count(self, what: str) -> int:
        return self.now.counts.get(what, 0)


def made(**spec: Any) -> Desk:
    desk = Desk()
    assert desk.ask(Saved, spec=spec_of(**spec)) == ""
    return desk


def test_an_event_starts_the_template_with_its_parameters() -> None:
    """The request says who, what, why and by which way; the id follows from rule and event."""
    desk = made(labels={"team": "web"}, when="event.data.severity == 'critical'")
    desk.take(alert())
    (run,) = desk.started
    assert run.execution_id == run_id(ID, alert())
    assert run.request.parameters == {"host": "web-1"}
    assert run.request.requested_by == Actor(kind="alert", id=ID)
    cause = run.request.trigger
    assert (cause.kind, cause.source, cause.chain) == ("monitoring_alert", ID, (ID,))
    assert cause.evidence["event"]["data"]["host"] == "web-1"
    assert desk.now.counts == {"received": 1, "matched": 1, "started": 1}
    desk.say(RunEnded(execution_id=run.execution_id, status="failed"))
    assert desk.now.recent[-1].ended == "failed"
    assert desk.now.runs == ()


def test_kinds_of_causes_are_those_of_templates() -> None:
    """The six kinds, once; a rule may name another one than its receiver's."""
    kinds = Cause.model_json_schema()["properties"]["kind"]["enum"]
    assert kinds == [kind.value for kind in TriggerKind]
    desk = made(trigger="context_detected")
    desk.take(alert())
    assert desk.started[0].request.trigger.kind == "context_detected"
    assert desk.started[0].request.requested_by.kind == "system"


def test_what_does_not_fit_is_unmatched() -> None:
    """By type, or by its condition."""
    desk = made(events=["alert.*"], when="event.data.severity == 'critical'")
    desk.take(alert(type="deploy.done"), alert(data={"severity": "info"}))
    assert desk.started == []
    assert desk.count("unmatched") == 2
    assert desk.count("matched") == 0


def test_a_key_counts_once_in_its_window() -> None:
    """From the first one on; after the window the next one counts again."""
    desk = made(deduplicate={"key": "event.data.host", "window_s": 60})
    desk.take(alert(1), alert(2, data={"host": "web-1"}), alert(3))
    desk.take(alert(4, data={"host": "web-1"}), after_s=59)
    desk.take(alert(5, data={"host": "web-1"}), after_s=2)
    assert [run.execution_id for run in desk.started] == [
        run_id(ID, alert(number)) for number in (1, 3, 5)
    ]
    assert desk.count("deduplicated") == 2
    desk.take(alert(6), alert(6), alert(6), alert(6))
    assert (desk.now.recent[-1].outcome, desk.now.recent[-1].count) == ("deduplicated", 3)


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more keys than are kept, those go first whose window ends first."""
    monkeypatch.setattr(rules, "MAX_KEYS", 10)
    desk = made()
    desk.take(*(alert(number) for number in range(10)))
    desk.take(alert(10), after_s=1)
    assert len(desk.now.seen) == 10
    desk.take(alert(10), alert(9))
    assert desk.count("deduplicated") == 2


def test_a_debounce_waits_until_it_is_quiet_and_takes_the_last() -> None:
    """One timer, set again while events come; the replaced ones are counted."""
    desk = made(debounce={"wait_s": 10, "at_most_s": 60})
    desk.take(alert(1))
    desk.take(alert(2), alert(3), after_s=5)
    assert desk.started == []
    desk.ring(after_s=5)
    assert desk.started == []
    desk.ring(after_s=5)
    assert [run.execution_id for run in desk.started] == [run_id(ID, alert(3))]
    assert (desk.count("waited"), desk.count("debounced"), desk.count("started")) == (1, 2, 1)
    assert desk.now.pending == {}


def test_a_debounce_does_not_wait_for_ever() -> None:
    """What never becomes quiet is started when the first has waited for as long as allowed."""
    desk = made(debounce={"wait_s": 10, "at_most_s": 20})
    for number in range(5):
        desk.take(alert(number), after_s=5 if number else 0)
    (timer,) = desk.timers.values()
    assert timer.due_ms == START + 10_000
    desk.ring(after_s=0)
    assert len(desk.started) == 1


def test_a_debounce_by_key_keeps_them_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key waits by itself; more than may wait fail, and that is said."""
    monkeypatch.setattr(rules, "MAX_PENDING", 2)
    desk = made(debounce={"key": "event.data.host", "wait_s": 10})
    desk.take(alert(1), alert(2), alert(3))
    assert len(desk.timers) == 2
    assert desk.now.recent[-1].outcome == "failed"
    assert "2 events wait" in desk.now.recent[-1].reason


def test_stale_timers_start_nothing() -> None:
    """Of an event that does not wait any more, or of an older setting."""
    desk = made(debounce={"wait_s": 10})
    desk.take(alert(1))
    (timer,) = desk.timers.values()
    desk.say(TimerFired(timer=timer.name, generation=timer.generation + 7))
    desk.say(TimerFired(timer="wait-other", generation=1))
    assert desk.started == []
    desk.ask(Saved, spec=spec_of(debounce={"wait_s": 10}))
    desk.ring(after_s=60)
    assert desk.started == []
    assert desk.now.recent[-1].outcome == "ignored"


def test_what_waits_while_a_rule_is_paused_is_ignored() -> None:
    """As is what comes; both are counted. A resumed rule goes on."""
    desk = made(debounce={"wait_s": 10})
    desk.take(alert(1))
    assert desk.ask(Paused, reason="quiet") == ""
    desk.take(alert(2))
    desk.ring(after_s=20)
    assert desk.started == []
    assert desk.count("ignored") == 2
    assert desk.ask(Resumed) == ""
    desk.take(alert(3))
    desk.ring(after_s=20)
    assert len(desk.started) == 1


def test_a_wait_whose_debounce_is_gone_is_over() -> None:
    """A state of an older rule: what waits starts when its timer comes."""
    desk = made(debounce={"wait_s": 10})
    desk.take(alert(1))
    desk.state = desk.now.model_copy(update={"spec": spec_of()})
    desk.ring(after_s=1)
    assert len(desk.started) == 1


def test_a_throttle_counts_starts() -> None:
    """At most so many in so long; what is too much is counted, and later there is room again."""
    desk = made(throttle={"most": 2, "per_s": 60})
    desk.take(*(alert(number) for number in range(5)))
    assert (desk.count("started"), desk.count("throttled")) == (2, 3)
    desk.take(alert(7), after_s=61)
    assert desk.count("started") == 3
    assert len(desk.now.starts) == 1


def test_what_triggers_itself_is_stopped() -> None:
    """Directly (an execution of the template that would be started), through this rule, or through
    a chain of others; the way round is said."""
    desk = made()
    for chain in (
        (TEMPLATE + "fix",),
        (ID, TEMPLATE + "other"),
        ("tr_9", TEMPLATE + "fix", "tr_8", TEMPLATE + "other"),
    ):
        desk.take(alert(1, chain=chain))
        assert desk.now.recent[-1].outcome == "looped"
    assert " → ".join(("tr_9", TEMPLATE + "fix", "tr_8")) in desk.now.recent[-1].reason
    assert desk.count("looped") == 3
    desk.take(alert(2, chain=("tr_9", TEMPLATE + "other")))
    assert desk.started[0].request.trigger.chain == ("tr_9", TEMPLATE + "other", ID)


def test_what_cannot_start_says_why() -> None:
    """An expression that fails on the data, parameters that do not fit, no template."""
    desk = made()
    desk.take(alert(1, data={}))
    assert "host" in desk.now.recent[-1].reason
    desk.take(alert(2, data={"host": 5}))
    assert "parameters/host" in desk.now.recent[-1].reason
    desk.found = None
    desk.take(alert(3))
    assert desk.now.recent[-1].reason == "there is no template fix@latest"
    assert desk.count("failed") == 3
    desk = made(debounce={"wait_s": 1})
    desk.take(alert(1, data={}))
    desk.ring(after_s=2)
    assert desk.now.recent[-1].outcome == "failed"


def test_large_evidence_is_left_out() -> None:
    """The cause of an execution stays small."""
    desk = made()
    desk.take(alert(1, data={"host": "web", "log": "x" * 10_000}))
    event = desk.started[0].request.trigger.evidence["event"]
    assert event["data"] == {"omitted": "more than 8 KiB"}


def test_what_was_deleted_starts_nothing() -> None:
    """It ignores what comes late, counts it, and cannot be revived."""
    desk = made()
    assert desk.ask(Deleted) == ""
    desk.take(alert())
    assert desk.started == []
    assert desk.ask(Saved, spec=spec_of()) == "it was deleted"
    assert desk.count("ignored") == 1


def test_what_is_unknown_is_left_alone() -> None:
    """Messages about a rule that never was change nothing; a state is of its own kind."""
    assert turn(None, ID, EventsReceived(events=(alert(),)), START, None).state is None
    assert turn(None, ID, Paused(request_id="r"), START, None).state is None
    table = {"every_s": 60}
    wrong = ScheduleSpec.model_validate({"name": "s", "template_id": "t", "timetable": table})
    assert turn(None, ID, Saved(request_id="r", spec=wrong), START, None).state is None
    saved = Saved(request_id="r", spec=spec_of())
    assert turn(None, "sc_1", saved, START, None).state is None
    schedule = schedule_turn(None, "sc_1", Saved(request_id="r", spec=wrong), START, None).state
    with pytest.raises(CorruptStateError, match="schedule"):
        turn(schedule, ID, saved, START, None)
    with pytest.raises(CorruptStateError, match="rule"):
        turn(made().state, "sc_1", saved, START, None)
    desk = made(events=["alert.*"])
    desk.say(TimerTaken(timer="x", generation=1))
    assert not desk.started
    desk.take(alert(1), *(alert(number, type="x") for number in range(1_000)), alert(2))
    assert len(desk.now.recent) == rules.RECENT // 2 + 2
    assert desk.now.recent[0].outcome == "started"
    ignored = turn(schedule, "sc_1", EventsReceived(events=(alert(),)), START, None)
    assert ignored.orders == ()


def test_expressions_are_checked_before_they_are_stored() -> None:
    """Each that means nothing is named with its field."""
    spec = spec_of(
        when="'yes'",
        deduplicate={"key": "evnt.key"},
        debounce={"key": "event.", "wait_s": 1},
        parameters={"host": "${{ nothing }}", "n": 5},
    )
    assert [problem.path for problem in spec_problems(spec)] == [
        "when",
        "deduplicate/key",
        "debounce/key",
        "parameters/host",
    ]
    assert spec_problems(spec_of()) == []


@given(
    numbers=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    throttle=st.none() | st.integers(1, 4),
    debounce=st.booleans(),
    gaps=st.lists(st.integers(0, 40), min_size=60, max_size=60),
)
def test_every_event_has_exactly_one_end(
    numbers: list[int], throttle: int | None, debounce: bool, gaps: list[int]
) -> None:
    """Received is the sum of all ends and of what waits; starts keep within the throttle."""
    desk = made(
        when="event.data.host != 'web-0'",
        deduplicate={"window_s": 30},
        throttle={"most": throttle, "per_s": 50} if throttle else None,
        debounce={"key": "event.key", "wait_s": 10} if debounce else None,
    )
    for index, (number, gap) in enumerate(zip(numbers, gaps, strict=False)):
        desk.take(alert(number, id=f"e{index}"), after_s=gap)
        for timer in list(desk.timers.values()):
            if timer.due_ms <= desk.at_ms:
                del desk.timers[timer.name]
                desk.say(TimerFired(timer=timer.name, generation=timer.generation))
    ends = ("unmatched", "deduplicated", "debounced", "throttled", "looped", "failed", "started")
    assert desk.count("received") == len(numbers) == desk.counted
    assert sum(map(desk.count, ends)) + len(desk.now.pending) == len(numbers)
    assert len(desk.started) == desk.count("started")
    if throttle:
        assert len(desk.now.starts) <= throttle


def test_a_storm_becomes_the_few_executions_that_the_rule_allows() -> None:
    """10,000 alerts of 40 hosts in a minute: three executions, and every event is counted."""
    desk = made(
        deduplicate={"key": "event.data.host", "window_s": 600},
        throttle={"most": 3, "per_s": 600},
    )
    for batch in range(100):
        desk.take(
            *(
                alert(number, id=f"e{batch}.{number}", data={"host": f"web-{number % 40}"})
                for number in range(100)
            ),
            after_s=0.6,
        )
    assert desk.now.counts == {
        "received": 10_000,
        "matched": 10_000,
        "deduplicated": 9_960,
        "throttled": 37,
        "started": 3,
    }
    assert len(desk.now.recent) <= rules.RECENT
    assert len(desk.now.model_dump_json()) < 50_000
