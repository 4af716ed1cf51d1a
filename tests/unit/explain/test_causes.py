"""Each cause by itself: it is the answer where it holds, with what is waited for and a command."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.api.explain import Explanation, Severity
from shared.contracts.delegations import Delegation, Offer
from shared.explain.explain import explain
from shared.explain.picture import Coordination, Past, Picture
from shared.explain.steps import BY_STATUS
from shared.workflow import messages as msg
from shared.workflow.concurrency_key import SlotWanted, key_id, key_turn
from shared.workflow.machines.step import BUSY, OUTSIDE, StepStatus
from shared.workflow.messages import RunValidated
from tests.unit.explain.pictures import agent, finding, first, picture, quarantined
from tests.unit.workflow.scenario import Run, step

SIGNALS = {
    "options": [{"signal": "go", "then": ["b"]}, {"after_s": 60, "then": ["b"]}],
}


def bare(name: str, **fields: Any) -> dict[str, Any]:
    """A step that the engine itself carries out."""
    return {"id": name, **fields}


def running(*steps: dict[str, Any], **fields: Any) -> Run:
    run = Run(*(steps or (step("a"),)), **fields)
    run.request()
    return run


def started() -> Picture:
    run = running()
    run.start("a")
    return picture(run)


def slow() -> Picture:
    usual = {"a": {"runs": 9, "median_ms": 100, "p95_ms": 200}}
    shown = started()
    past = Past(9, 9, {n: _usual(**u) for n, u in usual.items()})
    return Picture(**{**_fields(shown), "past": past})


def _usual(**fields: int) -> Any:
    from shared.contracts.api.explain import Usual

    return Usual(**fields)


def _fields(shown: Picture) -> dict[str, Any]:
    return {name: getattr(shown, name) for name in Picture.__slots__}


def agent_gone() -> Picture:
    run = running()
    run.start("a", "dead")
    return picture(run, agent("a1"), heard_ms={"a": run.now})


def nobody_fits() -> Picture:
    run = running(step("a", required_capabilities=["docker"], target={"labels": {"zone": "b"}}))
    return picture(run, agent("a1", labels={"zone": "a"}), agent("a2", capabilities=["docker"]))


def blocked() -> Picture:
    run = running(step("a", required_capabilities=["docker"]))
    run.unplace("a")
    return picture(run)


def blocked_unseen() -> Picture:
    """Where neither agents nor template are known, the coordinator's own words."""
    run = running(step("a", required_capabilities=["docker"]))
    run.unplace("a")
    return picture(run, agents=None, program=None)


def fits_now() -> Picture:
    run = running(step("a", required_capabilities=["docker"]))
    run.unplace("a")
    return picture(run, agent("a1", capabilities=["docker"]))


def retrying() -> Picture:
    run = running(step("a", retry={"max_attempts": 3, "delay_s": 60}))
    run.fail("a")
    return picture(run)


def lost() -> Picture:
    run = running(step("a", on_lost="ask"))
    run.start("a")
    run.lose("a")
    return picture(run)


def stopping() -> Picture:
    run = running(step("a"))
    run.start("a")
    run.cancel("enough")
    return picture(run)


def stopping_gone() -> Picture:
    run = running(step("a"))
    run.start("a", "dead")
    run.cancel("enough")
    return picture(run)


def failed() -> Picture:
    run = running(step("a", retry={"max_attempts": 2, "delay_s": 0}))
    run.fail("a")
    run.fire("retry-a")
    run.fail("a", retryable=False)
    return picture(run, past=Past(10, 7, {}))


def failing() -> Picture:
    run = running(step("a"), step("b"))
    run.start("b")
    run.fail("a", retryable=False)
    return picture(run)


def timed_out() -> Picture:
    run = running(step("a"), policies={"timeout_s": 1})
    run.start("a")
    run.fire("deadline")
    return picture(run)


def paused() -> Picture:
    run = running()
    run.start("a")
    run.pause()
    return picture(run)


def approval() -> Picture:
    rule = {"approvers": {"groups": ["ops"], "users": ["ann"]}, "quorum": 2, "expires_after_s": 60}
    run = running(step("a", approval=rule))
    run.vote("ann", "a")
    return picture(run)


def approval_before_everything() -> Picture:
    run = Run(step("a"), policies={"approval_required": True})
    run.request()
    return picture(run)


def approval_escalating() -> Picture:
    more = {"roles": ["admin"]}
    run = running(step("a", approval={"escalate_after_s": 60, "escalate_to": more}))
    return picture(run)


def approval_escalates_on_expiry() -> Picture:
    rule = {"expires_after_s": 60, "on_expiry": "escalate", "escalate_to": {"roles": ["admin"]}}
    return picture(running(step("a", approval=rule)))


def signal() -> Picture:
    return picture(running(bare("w", wait_for=SIGNALS), step("b", "w")))


def only_time() -> Picture:
    options = {"options": [{"after_s": 60, "then": ["b"]}]}
    return picture(running(bare("w", wait_for=options), step("b", "w")))


def people() -> Picture:
    options = {"options": [{"approval": {}, "then": ["b"]}]}
    return picture(running(bare("w", wait_for=options), step("b", "w")))


def has_slot() -> Picture:
    run = running(step("a", concurrency={"key": "deploy"}))
    run.tell(msg.SlotGranted(slot="a", key="deploy"))
    return picture(run)


def deferred(**fields: Any) -> Picture:
    run = running()
    run.start("a")
    run.defer("a", "tok/0", fields.pop("wake_at_ms", None))
    return picture(run, **fields)


def delegated() -> Picture:
    offer = Offer(participant="bee-1", at_ms=1, answer_by_ms=2)
    task = Delegation(id="tok", task="look", offers=(offer,), created_at_ms=3, deadline_ms=9_000)
    return deferred(delegations={"a": task})


def calling(child: Explanation | None = None) -> Picture:
    call = {"template": "c", "version": "1.0.0"}
    run = running(bare("a", workflow=call))
    return picture(run, children={"a": child} if child else {})


def child_stuck() -> Picture:
    return calling(explain(lost()))


def recalled() -> Picture:
    call = {"template": "c", "version": "1.0.0"}
    run = running(bare("a", workflow=call))
    run.cancel()
    return picture(run)


def locked() -> Picture:
    run = running(step("a", lock="door"), step("b", lock="door"))
    run.start("a")
    return picture(run)


def limited() -> Picture:
    """Of a key that two others have."""
    run = running(step("a", concurrency={"key": "deploy", "max_wait_s": 60}))
    state = None
    for number, execution in enumerate(("ex_2", "ex_3", "ex_4", "x1")):
        wanted = SlotWanted(key="deploy", execution_id=execution, slot="a", limit=2)
        state, _ = key_turn(state, key_id("deploy"), wanted, number, number)
    assert state is not None
    return picture(run, keys={"deploy": state})


def limited_as_a_whole() -> Picture:
    return picture(running(policies={"concurrency": {"key": "deploy"}}))


def milestone() -> Picture:
    run = running(step("m"), step("b", milestone={"reached": "m"}))
    run.start("m")
    return picture(run)


def looping() -> Picture:
    run = running(step("a", foreach={"items": "[1, 2, 3]", "concurrency": 1}))
    run.succeed("a[0]")
    return picture(run)


def overdue() -> Picture:
    run = running(step("a", retry={"max_attempts": 3, "delay_s": 1}))
    run.fail("a")
    return picture(run, after_ms=60_000)


def ended() -> Picture:
    run = running()
    run.succeed("a")
    return picture(run)


def cancelled() -> Picture:
    run = running()
    run.cancel("enough")
    return picture(run)


def offered() -> Picture:
    return picture(running())


def unled() -> Picture:
    return picture(running(), coordination=Coordination(3, None))


def behind() -> Picture:
    return picture(running(), coordination=Coordination(3, "exec-1-77", 4_000))


def nothing_stored() -> Picture:
    return Picture("x1", 1_000_000, coordination=Coordination(3, "exec-1-77", 0))


S = Severity
TABLE: list[tuple[Callable[[], Picture], str, Severity, str, str]] = [
    (lambda: picture(running(), quarantined=[quarantined()]), "quarantined", S.STUCK, "not stored", "hv quarantine show x1:9"),  # noqa: E501
    (lambda: Picture("x1", 1, damage="not JSON"), "damaged", S.STUCK, "not JSON", "hv quarantine list --execution x1"),  # noqa: E501
    (unled, "no_coordinator", S.STUCK, "partition 3", "hv status"),
    (behind, "coordinator_behind", S.WAITS, "4000 messages of partition 3", "hv status"),
    (overdue, "timer_overdue", S.STUCK, "Timer retry-a was due 59 s ago", "hv status"),
    (nothing_stored, "accepted", S.WAITS, "no coordinator has stored", "hv show x1"),
    (failed, "failed", S.STUCK, "in step a after 2 attempts on a1: exit_1: exit code 1", "hv logs x1 --step a"),  # noqa: E501
    (failing, "failing", S.STUCK, "because of step a: exit_1", "hv logs x1 --step a"),
    (ended, "ended", S.RUNS, "completed", "hv show x1"),
    (cancelled, "failed", S.STUCK, "It was cancelled: enough", "hv logs x1"),
    (timed_out, "timed_out", S.WAITS, "did not end within its timeout of 1 s", "hv watch x1"),
    (paused, "paused", S.NEEDS_PEOPLE, "by unknown (lunch): nothing new starts", "hv resume x1"),
    (approval, "approval", S.NEEDS_PEOPLE, "1 approval before a, of group ops, ann, but not of who asked for it (1 given)", "hv approvals show x1"),  # noqa: E501
    (approval_before_everything, "approval", S.NEEDS_PEOPLE, "before anything starts, of anybody who may approve", "hv approvals show x1"),  # noqa: E501
    (approval_escalating, "approval", S.NEEDS_PEOPLE, "1 approval before a", "hv approvals show x1"),  # noqa: E501
    (approval_escalates_on_expiry, "approval", S.NEEDS_PEOPLE, "before a", "hv approvals show x1"),
    (offered, "offered", S.WAITS, "a is offered to agents, for 1 s now", "hv watch x1"),
    (lambda: picture(running(), agents=None), "offered", S.WAITS, "a is offered", "hv watch x1"),
    (lambda: picture(running(), agent(running=4)), "no_free_slot", S.WAITS, "a1 (4 of 4)", "hv agents"),  # noqa: E501
    (lambda: picture(running(), after_ms=30_000), "not_taken", S.STUCK, "since 30 s, and none of the agents that fit has taken it: a1", "hv agents"),  # noqa: E501
    (nobody_fits, "nobody_fits", S.STUCK, "a1 lacks the capability docker, has zone=a, not b, a2 lacks zone=b", "hv agents"),  # noqa: E501
    (lambda: picture(running(), agents=()), "nobody_fits", S.STUCK, "no agent is alive", "hv agents"),  # noqa: E501
    (blocked, "nobody_fits", S.STUCK, "a1 lacks the capability docker", "hv agents"),
    (blocked_unseen, "nobody_fits", S.STUCK, "a cannot start: nobody fits", "hv agents"),
    (fits_now, "nobody_fits", S.STUCK, "has come", "hv agents"),
    (started, "running", S.RUNS, "a runs on a1, seen", "hv logs x1 --step a"),
    (slow, "slower_than_usual", S.WAITS, "it usually takes 100 ms", "hv logs x1 --step a"),
    (agent_gone, "agent_gone", S.STUCK, "Agent dead, which runs a, has not been seen for at least 10 seconds; its last line came 1 s ago", "hv agents"),  # noqa: E501
    (retrying, "retry_delay", S.WAITS, "attempt 1 of 3 is over (exit_1: exit code 1)", "hv logs x1 --step a"),  # noqa: E501
    (lost, "lost", S.STUCK, "nobody knows what it did", "hv logs x1 --step a"),
    (stopping, "stopping", S.WAITS, "agent a1 has to prove", "hv watch x1"),
    (stopping_gone, "agent_gone", S.STUCK, "Agent dead, which stops a", "hv agents"),
    (signal, "signal", S.NEEDS_PEOPLE, "w waits for the signal go or 59 s to pass", "hv show x1"),
    (only_time, "choice", S.WAITS, "w waits for 59 s to pass", "hv show x1"),
    (people, "choice", S.NEEDS_PEOPLE, "w waits for an answer of people", "hv show x1"),
    (deferred, "outside", S.NEEDS_PEOPLE, "by the token tok/0", "hv show x1"),
    (lambda: deferred(wake_at_ms=1_061_002), "wait", S.WAITS, "more, without an agent", "hv watch x1"),  # noqa: E501
    (delegated, "delegated", S.NEEDS_PEOPLE, "waits for bee-1, who has offered the task: look", "hv delegations --execution x1"),  # noqa: E501
    (calling, "child", S.WAITS, "waits for its sub-workflow", "hv why"),
    (recalled, "child", S.WAITS, "waits for its sub-workflow", "hv why"),
    (child_stuck, "child", S.STUCK, "nobody knows what it did", "hv logs x1 --step a"),
    (has_slot, "offered", S.WAITS, "a is offered", "hv watch x1"),
    (locked, "lock", S.WAITS, "b waits for the lock door, which a holds", "hv show x1"),
    (limited, "concurrency", S.WAITS, "a waits for a slot of deploy, which ex_2, ex_3 has, and 1 other before it", "hv concurrency show ck_"),  # noqa: E501
    (limited_as_a_whole, "concurrency", S.WAITS, "It waits for a slot of deploy.", "hv concurrency list"),  # noqa: E501
    (milestone, "milestone", S.WAITS, "m has to complete", "hv show x1"),
    (looping, "loop", S.FOLLOWS, "1 of 3 instances have ended, at most 1 at a time", "hv show x1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "cause", "severity", "words", "action"), TABLE, ids=[row[1] for row in TABLE]
)
def test_cause(
    make: Callable[[], Picture], cause: str, severity: Severity, words: str, action: str
) -> None:
    """The cause is found once, says what is the matter, and gives a command of `hv`."""
    found = finding(make(), cause)
    assert words in found.says
    assert found.severity is severity
    assert found.action.startswith(action)
    assert shlex.split(found.action)[0] == "hv"


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda: picture(running(), quarantined=[quarantined()]), "quarantined"),
        (unled, "no_coordinator"),
        (overdue, "timer_overdue"),
        (agent_gone, "agent_gone"),
        (nobody_fits, "nobody_fits"),
        (approval, "approval"),
        (paused, "paused"),
        (stopping_gone, "agent_gone"),
        (failed, "failed"),
        (child_stuck, "child"),
        (slow, "slower_than_usual"),
        (signal, "signal"),
    ],
)
def test_what_is_most_in_the_way_is_the_answer(make: Callable[[], Picture], cause: str) -> None:
    """Of several findings that stand in the way the most is told first."""
    assert first(explain(make())).cause == cause


def test_every_open_status_is_explained() -> None:
    """A status that a step can wait in has a cause; pending steps have their own."""
    assert set(BY_STATUS) == BUSY | OUTSIDE | {StepStatus.EXPANDED}


def test_times_and_what_is_waited_for() -> None:
    """Since when, until when, by which message it will go on, and how long it usually takes."""
    shown = slow()
    found = finding(shown, "slower_than_usual")
    assert shown.state is not None
    assert found.since_ms == shown.state.steps["a"].started_at_ms
    assert found.due_ms == found.since_ms + 300_000
    assert found.usual is not None
    assert found.usual.median_ms == 100
    assert found.waits_for is not None
    assert (found.waits_for.kind, found.waits_for.message) == ("agent", "attempt_finished")
    expiring = finding(approval(), "approval")
    assert expiring.due_ms
    assert "rejected" in expiring.normally
    assert "escalated" in finding(approval_escalates_on_expiry(), "approval").normally
    assert "others are asked" in finding(approval_escalating(), "approval").normally
    assert "7 of the last 10 runs completed" in finding(failed(), "failed").normally


def test_what_has_to_be_looked_at_says_so() -> None:
    """A run that nobody has validated waits for that, and for nothing else; when nobody answers
    that is what is wrong."""
    run = Run(step("a"), step("b", "a"), policies={"validation": {"level": "strict"}})
    run.request_with({}, to_validate=True)
    explained = explain(picture(run))
    assert [one.cause for one in explained.findings] == ["validating"]
    assert explained.answer == "It is looked at (level strict) before anything of it starts"
    late = finding(picture(run, after_ms=60_000), "validating")
    assert late.severity is Severity.STUCK
    assert "nobody has answered for" in late.says
    run.tell(RunValidated(refused="1 error: no-agent at steps/0: nobody"))
    assert "no-agent at steps/0" in first(explain(picture(run))).says
