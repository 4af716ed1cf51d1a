"""What is foretold of a rollback is what the planner does: over random programs and histories.

`plan_ahead` (the preview before a run, and what a forecast goes by) and `make_plan` (of what a run
did) sort every step the same way. Where a run fails, a forecast names at least what the planner
meets; and where it says that a rollback gets back to the start, the plan is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.forecast.outlook import CLEAN, is_clean, undone_at, ways_back
from shared.rollback.ahead import plan_ahead
from shared.rollback.items import Plan
from shared.rollback.past import Ran, Snapshot
from shared.rollback.planning import Wish, make_plan
from shared.workflow.binding import base
from shared.workflow.errors import DefinitionError
from shared.workflow.messages import ChildEnded, Parent
from shared.workflow.program import Program
from tests.unit.rollback.undoing import AT_MS, effects
from tests.unit.workflow.scenario import Run, step

NAMES = ("a", "b", "c", "d", "e")
INNER = "inner", "1.0.0"
ENDINGS: Mapping[str, Any] = {
    "nothing": {},
    "rollback": {"rollback": {"command": "noop", "parameters": {"of": "x"}}},
    "by_output": {"rollback": {"command": "noop", "parameters": {"of": "${{ output.n }}"}}},
    "irreversible": {"irreversible": "a mail"},
    "capture": {
        "capture": {"command": "look"},
        "rollback": {"command": "noop", "parameters": {"of": "${{ captured.n }}"}},
    },
}


@st.composite
def steps_of(draw: st.DrawFn, *, calls: bool = True) -> list[dict[str, Any]]:
    """Steps of a program: commands that change nothing, something, or keep what was there."""
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, len(NAMES)))):
        before = draw(st.sets(st.sampled_from(NAMES[:number]), max_size=2)) if number else set()
        if calls and draw(st.integers(0, 5)) == 0:
            call = {"template": INNER[0], "version": INNER[1]}
            made.append({"id": NAMES[number], "workflow": call, "depends_on": sorted(before)})
            continue
        fields = dict(ENDINGS[draw(st.sampled_from(sorted(ENDINGS)))])
        command = draw(st.sampled_from(("noop", "look", "put")))
        if command == "put" and draw(st.booleans()):
            fields["parameters"] = {"dry": True}
        if draw(st.integers(0, 4)) == 0:
            fields["foreach"] = {"items": "[1, 2]"}
        made.append(step(NAMES[number], *sorted(before), command=command, **fields))
    return made


class _World:
    """A program, its sub-workflow, and what became of a run of it."""

    def __init__(self, steps: list[dict[str, Any]], inner: list[dict[str, Any]]) -> None:
        try:
            self.run = Run(*steps)
            self.inner = Run(*inner).program
        except DefinitionError:
            assume(False)
        self.children: dict[str, Run] = {}
        self.inner_steps = inner

    @property
    def program(self) -> Program:
        return self.run.program

    def called(self) -> Mapping[tuple[str, str], Program]:
        return {INNER: self.inner}

    def play(self, fails: str, order: Any) -> None:
        """Run it until it ends, in any order; of `fails` the first attempt fails for good."""
        self.run.request()
        while not self.run.state.ended:
            steps = self.run.state.steps
            calling = [k for k, s in steps.items() if s.status.value == "calling"]
            offered = [k for k, s in steps.items() if s.status.value == "scheduled"]
            if not calling and not offered:
                break
            key = order.draw(st.sampled_from(sorted(calling + offered)))
            if key in calling:
                self._call(key)
            elif base(key) == fails:
                self.run.fail(key, retryable=False)
            else:
                self.run.succeed(key, n=1)

    def _call(self, key: str) -> None:
        child = self.run.state.steps[key].child
        assert child is not None
        inner = Run(*self.inner_steps)
        inner.execution_id = child
        parent = Parent(execution_id="x1", step=key, attempt=1, root="x1", depth=1)
        inner.request_with({}, parent=parent)
        while not inner.state.ended:
            offered = [k for k, s in inner.state.steps.items() if s.status.value == "scheduled"]
            inner.succeed(offered[0], n=1)
        self.children[key] = inner
        step = self.run.step(key)
        self.run.tell(
            ChildEnded(step=key, attempt=step.attempt, child=child, status="completed", outputs={})
        )

    def ran(self) -> Ran:
        children = {key: (_ran(child),) for key, child in self.children.items()}
        return _ran(self.run, children)


def _ran(run: Run, children: Mapping[str, tuple[Ran, ...]] | None = None) -> Ran:
    """What a run did, with what its agents kept before it."""
    captured = {}
    for key, one in run.state.steps.items():
        compiled = run.program.step(key)
        if compiled.captures and (one.attempts or one.started_at_ms):
            own = compiled.step.capture is not None
            captured[key] = [Snapshot("a1", {"n": 1} if own else None, restores=not own)]
    return Ran(run.program, run.state, children or {}, captured)


def sorted_by(plan: Plan) -> dict[str, str]:
    """By step, without instances, what becomes of it; what is spared since it changes nothing is
    left out."""
    found: dict[str, str] = {_plain(item.key): item.how for item in plan.items}
    found |= {_plain(one.key): f"{one.kind} {one.accepted}" for one in plan.left}
    return found


def _plain(key: str) -> str:
    return "/".join(base(part) for part in key.split("/"))


@settings(max_examples=60, deadline=None)
@given(steps=steps_of(), inner=steps_of(calls=False), order=st.data())
def test_a_complete_run_is_undone_as_it_was_foretold(steps: Any, inner: Any, order: Any) -> None:
    """Each step is compensated, restored, left or spared by the planner as the preview said."""
    world = _World(steps, inner)
    world.play("", order)
    assume(world.run.status == "completed")
    done = make_plan(world.ran(), Wish(), effects, AT_MS)
    ahead = plan_ahead(world.program, {}, world.called(), effects)
    assert sorted_by(done) == sorted_by(ahead)


@settings(max_examples=80, deadline=None)
@given(steps=steps_of(), inner=steps_of(calls=False), order=st.data())
def test_what_is_met_where_it_fails_was_foretold(steps: Any, inner: Any, order: Any) -> None:
    """A forecast's point of failure names all that the planner meets, and how it fares; where it
    says clean the plan leaves nothing."""
    world = _World(steps, inner)
    can_fail = [one["id"] for one in steps if "command" in one]
    assume(can_fail)
    failed = order.draw(st.sampled_from(can_fail))
    world.play(failed, order)
    assume(world.run.status == "failed")
    ways = ways_back(world.program, {}, world.called(), effects)
    undone = undone_at(world.program, failed, ways)
    plan = make_plan(world.ran(), Wish(), effects, AT_MS)
    how = {one.step: one.how for one in undone}
    for item in plan.items:
        assert how[_plain(item.key)] == ("captured" if item.how == "restore" else "compensated")
    for one in plan.left:
        assert how[_plain(one.key)] not in CLEAN
    if is_clean(world.program, undone):
        assert plan.complete
        assert not plan.left
