"""Turns of a schedule: what is started, missed, overlapped, and what no timer can do any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.automation.messages import (
    AutomationMessage,
    Deleted,
    Paused,
    Resumed,
    RunEnded,
    Saved,
    TimerTaken,
)
from shared.automation.orders import CancelRun, ClearTimers, Found, SetTimer, StartRun, TakeTimer
from shared.automation.schedule import MOST_DUE, run_id
from shared.automation.specs import ScheduleSpec
from shared.automation.states import RECENT, RuleState, ScheduleState
from shared.automation.timetable import Timetable, jitter_ms
from shared.automation.turns import is_automation, turn
from shared.workflow.definition import Template
from shared.workflow.messages import Actor, TimerFired

NOON = 1_767_268_800_000
"""1 January 2026, 12:00 UTC."""
MINUTE = 60_000
ID = "sc_1"
ANN = Actor(id="ann")


def template(version: str = "1.0.0", **parameters: Any) -> Template:
    return Template.model_validate(
        {
            "id": "check",
            "name": "Check",
            "version": version,
            "parameters": parameters,
            "steps": [{"id": "a", "command": "noop"}],
        }
    )


@dataclass
class Desk:
    """One schedule, moved as a coordinator would: the timer that is set fires when asked to."""

    state: ScheduleState | None = None
    at_ms: int = NOON
    found: Found | None = field(default_factory=lambda: Found(template(), "bob"))
    timer: SetTimer | None = None
    started: list[StartRun] = field(default_factory=list)
    cancelled: list[CancelRun] = field(default_factory=list)
    requests: int = 0

    def say(self, message: AutomationMessage) -> None:
        outcome = turn(self.state, ID, message, self.at_ms, self.found)
        assert not isinstance(outcome.state, RuleState)
        self.state = outcome.state
        for order in outcome.orders:
            if isinstance(order, SetTimer):
                self.timer = order
            elif isinstance(order, ClearTimers):
                self.timer = None
            elif isinstance(order, TakeTimer):
                self.say(TimerTaken(timer=order.name, generation=order.generation))
            elif isinstance(order, StartRun):
                self.started.append(order)
            else:
                self.cancelled.append(order)

    def ask(self, kind: Any, **values: Any) -> str:
        """Ask for something; gives why it was refused."""
        self.requests += 1
        self.say(kind(request_id=f"r{self.requests}", by=ANN, **values))
        outcome = self.now.outcome_of(f"r{self.requests}")
        assert outcome is not None
        return outcome.refused

    def save(self, **spec: Any) -> str:
        return self.ask(Saved, spec=spec_of(**spec))

    def fire(self, at_ms: int) -> None:
        """Deliver the timer that is set, at this time."""
        assert self.timer is not None
        self.at_ms = at_ms
        self.say(TimerFired(timer=self.timer.name, generation=self.timer.generation))

    def end(self, run: StartRun, status: str = "completed") -> None:
        self.say(RunEnded(execution_id=run.execution_id, status=status))

    @property
    def now(self) -> ScheduleState:
        assert self.state is not None
        return self.state

    @property
    def is_set(self) -> bool:
        return self.timer is not None

    @property
    def outcomes(self) -> list[str]:
        return [f"{one.outcome}*{one.count}" for one in self.now.recent]

    @property
    def moments(self) -> list[int]:
        """Minutes after noon that were started."""
        runs = (run.request.trigger.moment_ms for run in self.started)
        return [(moment - NOON) // MINUTE for moment in runs if moment is not None]


def spec_of(**spec: Any) -> ScheduleSpec:
    timetable = spec.pop("timetable", {"every_s": 60})
    return ScheduleSpec.model_validate(
        {"name": "s", "template_id": "check", "timetable": timetable, **spec}
    )


def made(**spec: Any) -> Desk:
    desk = Desk()
    assert desk.save(**spec) == ""
    return desk


def test_a_moment_starts_one_execution_and_sets_the_next_timer() -> None:
    """The request says who, what and why; the id follows from schedule, edition and moment."""
    desk = made(labels={"team": "web"})
    assert desk.timer == SetTimer("due", NOON + MINUTE, 1)
    desk.fire(NOON + MINUTE + 5)
    (run,) = desk.started
    assert run.execution_id == run_id(ID, 1, NOON + MINUTE)
    assert run.request.requested_by == Actor(kind="schedule", id=ID)
    assert (run.request.template_author, run.request.labels) == ("bob", {"team": "web"})
    assert run.request.trigger.kind == "scheduled"
    assert (run.request.trigger.source, run.request.trigger.moment_ms) == (ID, NOON + MINUTE)
    assert desk.timer == SetTimer("due", NOON + 2 * MINUTE, 2)
    assert desk.now.counts == {"started": 1}


def test_a_timer_counts_once_and_only_in_its_generation() -> None:
    """Delivered again, or set before a change, a timer starts nothing."""
    desk = made()
    old = desk.timer
    desk.fire(NOON + MINUTE)
    desk.timer = old
    desk.fire(NOON + MINUTE)
    assert len(desk.started) == 1
    desk.save(name="other", timetable={"every_s": 3_600})
    assert desk.timer is not None
    assert desk.timer.due_ms == NOON + MINUTE + 3_600_000
    desk.timer = old
    desk.fire(NOON + 2 * MINUTE)
    assert len(desk.started) == 1
    assert desk.now.edition == 2


def test_two_coordinators_decide_the_same() -> None:
    """From equal state and message equal orders follow, so that their ids tell them apart."""
    one, other = made(), made()
    one.fire(NOON + MINUTE)
    other.fire(NOON + MINUTE + 1)
    assert [run.execution_id for run in one.started] == [run.execution_id for run in other.started]


@pytest.mark.parametrize(
    ("missed", "minutes", "counted"),
    [
        ("skip", [6, 7], {"missed": 5, "started": 2}),
        ("run_once", [7], {"missed": 6, "started": 1}),
        ("run_all", [5, 6, 7], {"missed": 4, "started": 3}),
    ],
)
def test_what_was_missed_is_skipped_or_made_up(
    missed: str, minutes: list[int], counted: dict[str, int]
) -> None:
    """Seven moments are due at once, five of them by more than a minute."""
    desk = made(missed=missed, max_catch_up=3, overlap="allow", missed_after_s=60)
    desk.fire(NOON + 7 * MINUTE)
    assert desk.moments == minutes
    assert desk.now.counts == counted
    assert desk.timer is not None
    assert desk.timer.due_ms == NOON + 8 * MINUTE
    (kept,) = [one for one in desk.now.recent if one.outcome == "missed"]
    assert (kept.moment_ms, kept.until_ms) == (
        NOON + MINUTE,
        NOON + MINUTE * counted["missed"],
    )
    assert missed in kept.reason


def test_only_what_is_late_is_missed() -> None:
    """All seven are due, all within the time that they may be late: all run."""
    desk = made(missed="skip", overlap="allow", missed_after_s=3_600)
    desk.fire(NOON + 7 * MINUTE)
    assert desk.moments == [1, 2, 3, 4, 5, 6, 7]


def test_a_long_absence_is_bounded() -> None:
    """A schedule of every second that nobody looked at for a day is looked at so far and goes on
    from now."""
    desk = made(timetable={"every_s": 1}, missed="skip")
    desk.fire(NOON + 86_400_000)
    assert desk.now.counts["missed"] == MOST_DUE
    assert desk.timer is not None
    assert desk.timer.due_ms == NOON + 86_400_000 + 1_000


@given(
    missed=st.sampled_from(["skip", "run_once", "run_all"]),
    catch_up=st.integers(1, 5),
    jitter=st.integers(0, 200),
    delays=st.lists(st.integers(0, 12 * MINUTE), min_size=1, max_size=8),
)
def test_every_moment_has_exactly_one_outcome(
    missed: str, catch_up: int, jitter: int, delays: list[int]
) -> None:
    """However late timers are, each moment that is due is started or missed, once, in order, and
    none that is not due."""
    desk = made(
        missed=missed, max_catch_up=catch_up, jitter_s=jitter, overlap="allow", missed_after_s=90
    )
    for delay in delays:
        assert desk.timer is not None
        desk.fire(max(desk.at_ms, desk.timer.due_ms + delay))
        due = 0
        moment = NOON + MINUTE
        while moment + jitter_ms(ID, 1, moment, jitter) <= desk.at_ms:
            due += 1
            moment += MINUTE
        assert sum(desk.now.counts.values()) == due
        assert desk.now.next_ms == moment
    assert desk.moments == sorted(set(desk.moments))
    assert len(desk.now.recent) <= RECENT


def test_overlap_skip() -> None:
    """While a run goes on the next is not started, and that is said."""
    desk = made(overlap="skip")
    desk.fire(NOON + MINUTE)
    desk.fire(NOON + 2 * MINUTE)
    assert desk.outcomes == ["started*1", "overlapped*1"]
    assert desk.started[0].execution_id in desk.now.recent[-1].reason
    desk.end(desk.started[0], "failed")
    assert desk.now.recent[0].ended == "failed"
    desk.fire(NOON + 3 * MINUTE)
    assert desk.moments == [1, 3]


def test_overlap_queue_is_bounded_and_goes_on_in_order() -> None:
    """What waits starts when the one before has ended; more than may wait is dropped, and said."""
    desk = made(overlap="queue", max_queued=2)
    for minute in range(1, 5):
        desk.fire(NOON + minute * MINUTE)
    assert desk.outcomes == ["started*1", "queued*1", "queued*1", "dropped*1"]
    desk.end(desk.started[0])
    desk.end(RunEndedOf(desk), "cancelled")
    assert desk.moments == [1, 2, 3]
    assert desk.now.waiting == ()


def RunEndedOf(desk: Desk) -> StartRun:  # noqa: N802 - reads as what it stands for
    """The run that goes on."""
    (run,) = [r for r in desk.started if r.execution_id == desk.now.runs[-1].execution_id]
    return run


def test_overlap_cancel_older() -> None:
    """The run that goes on is told to end, and the new one begins."""
    desk = made(overlap="cancel_older")
    desk.fire(NOON + MINUTE)
    desk.fire(NOON + 2 * MINUTE)
    assert [order.execution_id for order in desk.cancelled] == [desk.started[0].execution_id]
    assert desk.moments == [1, 2]


def test_overlap_allow() -> None:
    """They run beside each other."""
    desk = made(overlap="allow")
    desk.fire(NOON + MINUTE)
    desk.fire(NOON + 2 * MINUTE)
    assert len(desk.now.runs) == 2


def test_jitter_delays_and_is_the_same_every_time() -> None:
    """The delay is within its bound and follows from schedule, edition and moment."""
    delays = {jitter_ms(ID, 1, NOON + n * MINUTE, 30) for n in range(50)}
    assert len(delays) > 40
    assert 0 <= min(delays) <= max(delays) <= 30_000
    desk = made(jitter_s=30)
    assert desk.timer is not None
    assert desk.timer.due_ms == NOON + MINUTE + jitter_ms(ID, 1, NOON + MINUTE, 30)


def test_a_timer_that_comes_early_is_set_again() -> None:
    """What is not due yet is not started."""
    desk = made()
    desk.fire(NOON + MINUTE - 10)
    assert desk.started == []
    assert desk.timer is not None
    assert desk.timer.due_ms == NOON + MINUTE


def test_pause_and_resume() -> None:
    """While it is paused nothing is due; what would have run is not made up."""
    desk = made(missed="run_all")
    old = desk.timer
    assert desk.ask(Paused, reason="disks") == ""
    assert (desk.timer, desk.now.status, desk.now.reason) == (None, "paused", "disks")
    desk.timer = old
    desk.fire(NOON + MINUTE)
    assert desk.started == []
    assert desk.ask(Paused) == "it is paused, not active"
    desk.at_ms = NOON + 10 * MINUTE
    assert desk.ask(Resumed) == ""
    assert desk.timer is not None
    assert desk.timer.due_ms == NOON + 11 * MINUTE
    assert desk.ask(Resumed) == "it is active, not paused"
    desk.fire(NOON + 11 * MINUTE)
    assert desk.moments == [11]


def test_what_waits_stays_over_a_pause() -> None:
    """A run that waits for another one starts when both that one has ended and it is resumed."""
    desk = made(overlap="queue")
    desk.fire(NOON + MINUTE)
    desk.fire(NOON + 2 * MINUTE)
    desk.ask(Paused)
    desk.end(desk.started[0])
    assert desk.moments == [1]
    desk.ask(Resumed)
    assert desk.moments == [1, 2]


def test_a_change_drops_what_belonged_to_the_old_edition() -> None:
    """Waiting runs, and a moment whose delay was under way, are dropped, and that is said."""
    desk = made(overlap="queue")
    desk.fire(NOON + MINUTE)
    desk.fire(NOON + 2 * MINUTE)
    desk.save(overlap="queue")
    assert desk.outcomes[-1] == "dropped*1"
    assert desk.now.waiting == ()
    desk = made(jitter_s=86_400)
    desk.at_ms = NOON + MINUTE + 1
    desk.ask(Paused)
    assert desk.outcomes == ["dropped*1"]
    desk.save()
    assert desk.now.status == "paused"
    assert desk.timer is None


def test_what_was_deleted_stays_deleted() -> None:
    """No timer, no late request and no end of a run revives it."""
    desk = made(overlap="queue")
    desk.fire(NOON + MINUTE)
    desk.fire(NOON + 2 * MINUTE)
    old = desk.timer
    assert desk.ask(Deleted) == ""
    assert desk.timer is None
    assert desk.save() == "it was deleted"
    desk.end(desk.started[0])
    desk.timer = old
    desk.fire(NOON + 3 * MINUTE)
    assert desk.moments == [1]


def test_two_people_who_change_it_do_not_undo_each_other() -> None:
    """A change that names an edition that is past is refused with the present one."""
    desk = made()
    assert desk.ask(Saved, spec=spec_of(name="b"), if_edition=1) == ""
    assert "edition 2" in desk.ask(Saved, spec=spec_of(name="c"), if_edition=1)
    assert desk.now.spec.name == "b"


def test_one_off() -> None:
    """It runs once and is finished; a new time makes it active again."""
    desk = made(timetable={"at": "2026-01-01T13:00:00", "timezone": "Europe/Berlin"})
    assert not desk.is_set  # noon UTC is 13:00 in Berlin: not after now
    assert "no further moment" in desk.now.reason
    assert desk.save(timetable={"at": "2026-01-01T12:30:00Z"}) == ""
    desk.fire(NOON + 30 * MINUTE)
    assert desk.moments == [30]
    assert (desk.now.status, desk.timer) == ("finished", None)


def test_what_cannot_start_says_why() -> None:
    """Without its template, or with parameters that do not fit it any more, the moment is refused
    with the reason, and the schedule goes on."""
    desk = made(template_version="1.0.0")
    assert (desk.now.spec.pinned, made().now.spec.pinned) == ("1.0.0", None)
    desk.found = None
    desk.fire(NOON + MINUTE)
    assert desk.now.recent[-1].reason == "there is no template check@1.0.0"
    desk = made(parameters={"limit": 5})
    desk.found = Found(template("2.0.0", limit={"type": "string"}), "eve")
    desk.fire(NOON + MINUTE)
    assert desk.outcomes == ["refused*1"]
    assert "check@2.0.0" in desk.now.recent[-1].reason
    assert "parameters/limit" in desk.now.recent[-1].reason
    desk.found = Found(template("3.0.0", limit={"type": "integer"}), "eve")
    desk.fire(NOON + 2 * MINUTE)
    assert desk.started[0].request.template_version == "3.0.0"
    assert desk.now.recent[-1].template_version == "3.0.0"


def test_whose_it_is_is_known_by_its_id() -> None:
    """Ids of schedules and of executions are told apart, and a state must be of its kind."""
    assert is_automation("sc_01")
    assert not is_automation("ex_01")


def test_what_is_unknown_is_left_alone() -> None:
    """Messages about a schedule that never was change nothing; the end of a strange run neither."""
    for message in (
        TimerFired(timer="due", generation=1),
        RunEnded(execution_id="ex_1", status="completed"),
        Paused(request_id="r"),
    ):
        assert turn(None, ID, message, NOON, None).state is None
    desk = made()
    desk.say(RunEnded(execution_id="ex_other", status="completed"))
    assert desk.now.recent == ()


@pytest.mark.parametrize(
    ("timetable", "says"),
    [
        ({}, "exactly one"),
        ({"cron": "* * * * *", "every_s": 5}, "exactly one"),
        ({"cron": "61 * * * *"}, "minute"),
        ({"cron": "0 0 31 2 *"}, "never happens"),
        ({"cron": "0 0 1 1 *", "timezone": "Mars/Base"}, "no time zone"),
        ({"at": "2026-01-01T00:00:00Z", "starts_at": "2026-01-01T00:00:00Z"}, "every_s"),
    ],
)
def test_impossible_timetables_are_refused(timetable: dict[str, Any], says: str) -> None:
    """With the reason, before anything is stored."""
    with pytest.raises(ValidationError, match=says):
        Timetable.model_validate(timetable)


def test_an_interval_counts_from_its_start() -> None:
    """From `starts_at` if it has one, also before it."""
    every = Timetable.model_validate({"every_s": 600, "starts_at": "2026-01-01T12:05:00+00:00"})
    assert every.upcoming(NOON, 0, 2) == (NOON + 5 * MINUTE, NOON + 15 * MINUTE)
    assert every.next_after(NOON + 15 * MINUTE, 0) == NOON + 25 * MINUTE
    cron = Timetable.model_validate({"cron": "0 0 2 1 *", "timezone": "Asia/Tokyo"})
    assert cron.next_after(NOON, 0) == NOON + 180 * MINUTE
    once = Timetable.model_validate({"at": "2026-01-01T12:05:00+00:00"})
    assert once.upcoming(NOON, 0, 5) == (NOON + 5 * MINUTE,)
