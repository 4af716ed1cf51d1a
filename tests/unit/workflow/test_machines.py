"""The tables: every pair is either declared or an error, and every declared one is reached."""

from pathlib import Path
from typing import Any

import pytest

from shared.workflow.errors import UndefinedTransitionError
from shared.workflow.machines import approval, execution, step, timer
from shared.workflow.machines.diagrams import render
from shared.workflow.machines.table import Machine
from shared.workflow.messages import AttemptStarted, ChildEnded, InstancesAdded, SignalReceived
from shared.workflow.rerunning import Wish
from tests.simulation.checked import Transition
from tests.simulation.core_world import CoreWorld
from tests.unit.workflow import scenario
from tests.unit.workflow.fleet_runs import fleet
from tests.unit.workflow.reruns import FAILED, Again
from tests.unit.workflow.scenario import Run, retry_of_something_else
from tests.unit.workflow.test_marking import at
from tests.unit.workflow.test_rerun_approvals import TestApprovals
from tests.unit.workflow.test_rerun_parts import TestLoops
from tests.unit.workflow.test_undoing import undo_ways
from tests.unit.workflow.test_validating import validating_ways

MACHINES: list[Machine[Any]] = [execution.EXECUTION, step.STEP, timer.TIMER, approval.APPROVAL]
EVENTS = sorted({event for machine in MACHINES for event in machine.rows} | {"step.unheard_of"})
SEEDS = 300
PAGE = Path(__file__).resolve().parents[3] / "docs/reference/state-machines.md"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_pair_is_declared_or_undefined(machine: Machine[Any]) -> None:
    """Each status and event either has an entry in the table or raises."""
    for status in type(machine.initial):
        for event in EVENTS:
            declared = machine.rows.get(event, {})
            assert machine.allows(status, event) == (status in declared)
            if status in declared:
                assert machine.next(status, event) is declared[status]
                continue
            with pytest.raises(UndefinedTransitionError) as raised:
                machine.next(status, event)
            assert (raised.value.status, raised.value.event) == (status, event)


@pytest.mark.parametrize("machine", [execution.EXECUTION, step.STEP, approval.APPROVAL])
def test_ends_are_final(machine: Machine[Any]) -> None:
    """No event leads out of an end, but for the one by which an execution is rolled back."""
    for event, row in machine.rows.items():
        for before, after in row.items():
            back = event == "execution.rolling_back"
            assert before not in machine.terminal or after is before or back


def test_the_step_sets_are_whole() -> None:
    """Every open step is pending, a loop, busy or outside, and nothing is two of them."""
    others = {step.StepStatus.PENDING, step.StepStatus.EXPANDED}
    sets = [step.STEP_ENDED, step.BUSY, step.OUTSIDE, others]
    assert sum(len(s) for s in sets) == len(step.StepStatus)
    assert set().union(*sets) == set(step.StepStatus)


def rare_ways() -> set[Transition]:
    """Return transitions that need a certain order of messages, taken one by one."""
    run = Run(scenario.step("a", on_lost="ask"))
    run.request()
    run.lose("a")
    run.start("a", agent="a2")
    run.resolve("a", "failed")
    paused = Run(scenario.step("a", continue_on_failure=True))
    paused.request()
    paused.start("a")
    paused.defer("a")
    paused.pause()
    paused.wake("a")
    paused.fail("a")
    blocked = Run(scenario.step("a", retry={"max_attempts": 2}))
    blocked.request()
    blocked.start("a")
    blocked.defer("a")
    blocked.start("a", agent="a2")
    blocked.wake("a")
    blocked.unplace("a")
    blocked.start("a", agent="a2")
    blocked.finish("a", "failed")
    blocked.start("a", agent="a3")
    blocked.fire("retry-a")
    blocked.unplace("a")
    blocked.wake("a", key="early")
    blocked.lose("a")
    stopping = Run(scenario.step("a"), scenario.step("b", continue_on_failure=True))
    stopping.request()
    stopping.start("a")
    stopping.finish("a")
    stopping.start("b")
    stopping.pause()
    stopping.start("b", agent="a2")
    stopping.resume()
    stopping.cancel()
    stopping.fire("stop")
    stopping.start("b", agent="a2")
    stopping.lose("b")
    done = Run(scenario.step("a"))
    done.request()
    done.start("a")
    done.cancel()
    done.finish("a")
    last = Run(scenario.step("a"))
    last.request()
    last.start("a")
    last.pause()
    last.finish("a")
    seen = run.seen | paused.seen | blocked.seen | stopping.seen | done.seen | last.seen
    return seen | rare_flow()


def rare_flow() -> set[Transition]:
    """The same for control flow."""
    handled = Run(scenario.step("a"), **{"finally": [scenario.step("f")]})
    handled.request()
    handled.start("a")
    handled.pause()
    handled.finish("a")
    calling = Run(
        {
            "id": "a",
            "workflow": {"template": "t", "version": "1.0.0"},
            "until": {"condition": "output.outputs.n > 1", "max_rounds": 3},
        },
        scenario.step("b", foreach={"items": "[1]"}),
        scenario.step("c", on_lost="ask", until={"condition": "output.n > 1", "max_rounds": 3}),
        scenario.step("d"),
        {"id": "w", "wait_for": {"options": [{"signal": "s", "accept": "data.x == 1"}]}},
    )
    calling.request()
    for name in ("a", "b"):
        calling.start(name, agent="stranger")
    calling.pause()
    calling.resume()
    calling.tell(InstancesAdded(step="b", after=1, items=(2,)))
    calling.unplace("d")
    calling.tell(AttemptStarted(step="d", attempt=7, agent="stranger"))
    calling.start("c")
    calling.lose("c")
    calling.finish("c", output={"n": 1})
    child = calling.step("a").child
    assert child is not None
    calling.tell(ChildEnded(step="a", attempt=1, child=child, status="completed", outputs={"n": 1}))
    calling.tell(SignalReceived(id="1", name="s", data={"y": 1}))
    retried, placed = scenario.vanishing_output(), scenario.vanishing_output()
    retried.fail("e")
    placed.unplace("e")
    for late, timer_name in ((retried, "retry-e"), (placed, "place-e")):
        late.fire("retry-p")
        late.succeed("p")
        late.fire(timer_name)
    resolved = Run(scenario.step("a", on_lost="ask"), **{"finally": [scenario.step("f")]})
    resolved.request()
    resolved.start("a")
    resolved.lose("a")
    resolved.resolve("a", "completed")
    again = resolved.seen | handled.seen | calling.seen | retried.seen | placed.seen
    return again | fleet_ways()


def fleet_ways() -> set[Transition]:
    """The same of fleets: a target that is gone, and a call that is made again."""
    fields = {"where": "true", "on_target_lost": "skip"}
    gone = Run(scenario.step("a", target=fields, start_timeout_s=1))
    gone.request()
    gone.target("a", "t1")
    gone.unplace("a[0]")
    gone.fire("place-a[0]")
    gone.unplace("a[0]")
    call = {"id": "a", "workflow": {"template": "t", "version": "1.0.0"}}
    called = Run({**call, "retry": {"max_attempts": 2}})
    called.request()
    child = called.step("a").child
    assert child is not None
    called.tell(ChildEnded(step="a", attempt=1, child=child, status="failed"))
    called.fire("retry-a")
    return gone.seen | called.seen


def gate_ways() -> set[Transition]:
    """The same of gates: what people say too late, and what changes."""
    seen: set[Transition] = set()
    rule = {"approval": {"quorum": 2, "expires_after_s": 9}, "continue_on_failure": True}
    for closing in ("expire", "void", "reject"):
        run = Run(scenario.step("a", **rule), scenario.step("b"))
        run.request()
        if closing == "expire":
            run.fire("expire-a")
        elif closing == "reject":
            run.vote("alice", "a", approved=False)
        else:
            run.start("b")
            run.cancel()
        run.vote("bob", "a")
        seen |= run.seen
    run = Run(scenario.step("a"), policies={"approval": {"expires_after_s": 9}})
    run.request()
    run.change(scenario.step("a", timeout_s=7), policies={"approval": {}})
    run.vote("alice", subject_hash="0")
    run.vote("alice", subject_hash="1")
    run.fire("expire-workflow")
    return seen | run.seen | retry_of_something_else("rejected").seen


def operator_ways() -> set[Transition]:
    """The same of operators: every status in which a step can be marked or hurried."""
    seen: set[Transition] = set()
    for status in ("pending", "scheduled", "blocked", "retrying", "lost", "waiting", "running"):
        for verdict in ("completed", "failed"):
            marked = at(status)
            marked.mark("a", verdict)
            if status == "running":
                marked.finish("a", "cancelled")
            seen |= marked.seen
    for verdict in ("completed", "failed"):
        called = Run({"id": "a", "workflow": {"template": "t", "version": "1.0.0"}})
        called.request()
        called.mark("a", verdict)
        loop = Run(scenario.step("a", foreach={"items": "[1]"}), scenario.step("b", "a"))
        loop.request()
        loop.mark("a", verdict)
        seen |= called.seen | loop.seen
    for status in ("blocked", "retrying", "waiting"):
        hurried = at(status)
        hurried.run_now("a")
        seen |= hurried.seen
    voided = at("running")
    voided.break_before("b")
    voided.mark("a", "failed")
    voided.finish("a")
    voided.break_before(clear=("b",))
    voided.break_before("c")
    waiting = at("waiting")
    waiting.break_before("b")
    paused = at("scheduled")
    paused.pause()
    paused.break_before("b")
    seen |= voided.seen | waiting.seen | paused.seen
    batches = fleet("a", "b", strategy="rolling", batch=1, pause_between_s=600)
    batches.succeed("s[0]")
    batches.run_now("s")
    return seen | batches.seen | rerun_ways()


def rerun_ways() -> set[Transition]:
    """The same of re-runs."""
    before = TestApprovals().approved()
    tolerated = Run(scenario.step("t", continue_on_failure=True), scenario.step("b"))
    tolerated.request()
    tolerated.fail("t", retryable=False)
    tolerated.succeed("b")
    kept, again = Again(before, FAILED).run, Again(tolerated, Wish(from_step="b")).run
    planned = Again(TestLoops().failed(), FAILED).run
    return kept.seen | again.seen | planned.seen


@pytest.mark.timeout(300)
def test_every_transition_is_reached() -> None:
    """Real decisions reach every entry of every table; an entry that none reaches is no rule."""
    seen = rare_ways() | gate_ways() | operator_ways() | undo_ways() | validating_ways()
    for seed in range(SEEDS):
        CoreWorld(seed, seen).run()
    declared = {
        (machine.name, status.value, event)
        for machine in MACHINES
        for event, row in machine.rows.items()
        for status in row
    }
    assert sorted(declared - seen) == []


def test_the_diagrams_are_drawn_from_the_tables() -> None:
    """The page in the documentation is what the tables draw today."""
    assert PAGE.read_text(encoding="utf-8") == render(), f"write `render()` into {PAGE.name} anew"
