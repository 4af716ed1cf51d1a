"""Plans: what is in them, and what comes of their templates."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rollback.checkpoints import PlanError
from shared.rollback.past import Snapshot
from shared.rollback.planning import Wish, make_plan
from shared.workflow import events as ev
from shared.workflow.messages import ChildEnded
from tests.unit.rollback.undoing import AT_MS, Undo, effects, keys, plan_of, ran, undone_by
from tests.unit.workflow.fleet_runs import fleet
from tests.unit.workflow.scenario import Run, step

CALL = {"id": "c", "workflow": {"template": "t", "version": "1.0.0"}}


def done(*steps: dict[str, Any], **fields: Any) -> Run:
    """An execution whose steps all completed, in their order."""
    run = Run(*steps, **fields)
    run.request()
    for name in run.program.graph.order:
        run.succeed(name, n=1)
    return run


def test_a_fleet_below_a_call_is_asked_for_by_its_path() -> None:
    """Only what it did is undone, whichever attempt of the call it was; the rest is spared."""
    inner = done(undone_by("x"), undone_by("s", "x"), undone_by("sx", "s"))
    outer = Run(undone_by("a"), {**CALL, "depends_on": ["a"]})
    outer.request()
    outer.succeed("a", n=1)
    child = outer.step("c").child or ""
    outer.tell(ChildEnded(step="c", attempt=1, child=child, status="completed"))
    past = ran(outer, {"c": (ran(inner), ran(inner))})
    assert set(keys(plan_of(past, steps=("c/s",)))) == {"c/s", "c#1/s"}
    assert len(keys(plan_of(past, steps=("c",)))) == 6
    assert keys(plan_of(past, steps=("a",))) == ["a"]
    plan = plan_of(past, steps=("c/s",))
    assert {one.reason for one in plan.spared} == {"it does not belong to what was asked for"}


class TestWhatIsUndone:
    def test_the_last_is_the_first(self) -> None:
        """What was done is undone in the reverse order, each after the one before it."""
        plan = plan_of(done(undone_by("a"), undone_by("b", "a"), undone_by("c", "b")))
        assert keys(plan) == ["c", "b", "a"]
        assert [item.round for item in plan.items] == [1, 2, 3]
        assert plan.complete
        undo = Undo(plan)
        for key in ("c", "b", "a"):
            assert list(undo.offered) == [key]
            scheduled = undo.run.the(ev.StepScheduled)
            assert scheduled.parameters == {"of": key}
            assert scheduled.requirement.agent == "a1"
            undo.succeed(key)
        assert undo.run.status == "completed"

    def test_what_went_on_together_is_undone_together(self) -> None:
        """Two branches that overlapped are undone at the same time, before what they came from."""
        run = Run(undone_by("a"), undone_by("b", "a"), undone_by("c", "a"))
        run.request()
        run.succeed("a")
        run.start("b")
        run.start("c")
        run.finish("b")
        run.finish("c")
        undo = Undo(plan_of(run))
        assert set(undo.offered) == {"b", "c"}
        undo.succeed("b")
        assert set(undo.offered) == {"c"}
        undo.succeed("c")
        assert set(undo.offered) == {"a"}

    def test_what_did_nothing_is_left_out(self) -> None:
        """Steps that never began, were skipped, or change nothing are no part of it."""
        run = Run(step("s", command="look"), undone_by("a", "s"), undone_by("b", when="false"))
        run.request()
        run.succeed("s")
        run.fail("a", retryable=False)
        plan = plan_of(run)
        assert keys(plan) == ["a"]
        assert not plan.items[0].certain
        assert [(one.key, one.reason) for one in plan.spared] == [("s", "it changes nothing")]
        never = Run(undone_by("a"))
        never.request()
        never.cancel()
        assert plan_of(never).items == ()

    def test_what_was_lost_may_have_been_done(self) -> None:
        """Whatever became of a step whose agent died is undone, and said to be uncertain."""
        run = Run(undone_by("a"))
        run.request()
        run.start("a")
        run.lose("a")
        (item,) = plan_of(run).items
        assert (item.certain, item.agent) == (False, "a1")
        assert "lost midway" in item.notes[0]

    def test_what_was_lost_before_anything_was_kept_was_never_done(self) -> None:
        """A step begins after what is there was kept: where nothing was, it changed nothing. That
        holds for all attempts, and while what was kept is certainly there."""
        run = Run(undone_by("a", capture={"command": "look"}))
        run.request()
        run.start("a")
        run.lose("a")
        plan = plan_of(run)
        assert plan.items == ()
        assert plan.complete
        assert "before it had kept" in plan.spared[0].reason
        elsewhere = ran(run, captured={"a": [Snapshot("a2", {"n": 1})]})
        assert keys(plan_of(elsewhere)) == ["a"]
        long_ago = make_plan(ran(run), Wish(), effects, AT_MS + 86_400_000)
        assert keys(long_ago) == ["a"]

    def test_what_an_agent_refused_was_never_done(self) -> None:
        """A failure before anything began is no reason to undo."""
        run = Run(undone_by("a"))
        run.request()
        run.start("a")
        failure = {"code": "refused_by_policy", "message": "no", "retryable": False}
        run.finish("a", "failed", failure=failure)
        assert plan_of(run).items == ()

    def test_what_was_undone_is_not_undone_again(self) -> None:
        """Items of an earlier rollback are spared."""
        run = done(undone_by("a"), undone_by("b", "a"))
        plan = plan_of(run, number=2, undone=frozenset({"b"}))
        assert keys(plan) == ["a"]
        assert plan.template is not None
        assert plan.template.version == "1.0.2"

    def test_only_what_was_asked_for(self) -> None:
        """With steps named the others are spared."""
        plan = plan_of(done(undone_by("a"), undone_by("b", "a")), steps=("b",))
        assert keys(plan) == ["b"]

    def test_a_mark_counts_as_done(self) -> None:
        """What a person says is done is undone; where nobody knows on which agent, it remains."""
        run = Run(undone_by("a"), undone_by("b", "a"))
        run.request()
        run.mark("a")
        run.start("b")
        run.mark("b")
        run.finish("b", "cancelled")
        plan = plan_of(run)
        assert keys(plan) == ["b"]
        assert [one.kind for one in plan.left] == ["no_way_back"]
        assert "olga marked it as completed" in plan.items[0].notes


class TestWhatRemains:
    def test_what_has_no_way_back(self) -> None:
        """It is named, and makes the plan incomplete; what its author accepted does not."""
        plan = plan_of(done(step("a"), step("b", irreversible="it is a message")))
        assert [(one.key, one.kind, one.accepted) for one in plan.left] == [
            ("b", "irreversible", True),
            ("a", "no_way_back", False),
        ]
        assert not plan.complete
        assert plan_of(done(step("b", irreversible="it is a message"))).complete

    def test_what_cannot_be_rendered(self) -> None:
        """A step that was lost has no output, so what uses it cannot be made."""
        undo = {"command": "noop", "parameters": {"id": "${{ output.id }}"}}
        run = Run(step("a", rollback=undo))
        run.request()
        run.start("a")
        run.lose("a")
        plan = plan_of(run)
        assert plan.items == ()
        assert plan.left[0].kind == "not_rendered"
        assert "output.id" in plan.left[0].reason

    def test_what_is_too_large(self) -> None:
        """Values beyond what one message may hold are named, and not cut."""
        undo = {"command": "noop", "parameters": {"text": "${{ output.text }}"}}
        loop = {"items": "[1, 2, 3, 4, 5, 6, 7]"}
        run = Run(step("a", rollback=undo, foreach=loop))
        run.request()
        for index in range(7):
            run.start(f"a[{index}]")
            run.finish(f"a[{index}]", output={"text": "x" * 1_000_000}, output_bytes=1_000_010)
        plan = plan_of(run)
        assert {one.kind for one in plan.left} == {"too_large"}
        assert plan.items


class TestValues:
    def test_they_are_those_of_the_execution(self) -> None:
        """Parameters, outputs of other steps and its own are what they were; a value that looks
        like an expression stays what it is."""
        undo = {
            "command": "noop",
            "parameters": {
                "all": "${{ params.p }}/${{ steps.a.output.n }}/${{ output.n }}",
                "id": "${{ execution.id }}",
                "half": "${{ params.ratio / 2.0 }}",
            },
        }
        run = Run(
            step("a"),
            step("b", "a", parameters={"x": "${{ steps.a.output.n }}"}, rollback=undo),
            parameters={"p": {"type": "string"}, "ratio": {"type": "number"}},
        )
        run.request(p="${{ execution.template }}", ratio=3)
        run.succeed("a", n=1)
        run.succeed("b", n=2)
        plan = plan_of(run, steps=("b",))
        Undo(plan)
        expected = {"all": "${{ execution.template }}/1/2", "id": "x1", "half": 1.5}
        assert plan.items[0].parameters == expected
        assert Undo(plan).run.the(ev.StepScheduled).parameters == expected

    def test_secrets_stay_where_they_are(self) -> None:
        """A text with a secret in it goes to the agent as its author wrote it, with the other
        values that it uses."""
        text = "${{ secrets.TOKEN }}-${{ output.n }}"
        undo = {"command": "noop", "parameters": {"token": text}}
        run = done(step("a", rollback=undo))
        scheduled = Undo(plan_of(run)).run.the(ev.StepScheduled)
        assert scheduled.parameters == {"token": text}
        assert scheduled.late is not None
        assert (scheduled.late.secrets, scheduled.late.values) == (("TOKEN",), {"output": {"n": 1}})

    def test_what_was_captured(self) -> None:
        """`captured` is what the author's capture returned before the first attempt."""
        undo = {"command": "noop", "parameters": {"was": "${{ captured.version }}"}}
        run = done(step("a", capture={"command": "look"}, rollback=undo))
        snapshots = {"a": (Snapshot("a1", {"version": 7}),)}
        undo_run = Undo(plan_of(ran(run, captured=snapshots)))
        assert undo_run.run.the(ev.StepScheduled).parameters == {"was": 7}


class TestRestoring:
    def test_what_was_kept_is_put_back(self) -> None:
        """Without a rollback of the author, what the agent kept is restored there."""
        run = done(step("a"))
        plan = plan_of(ran(run, captured={"a": (Snapshot("a1", None, True),)}))
        (item,) = plan.items
        assert (item.how, item.command, item.agent) == ("restore", "restore", "a1")
        scheduled = Undo(plan).run.the(ev.StepScheduled)
        assert scheduled.parameters == item.parameters == {"execution_id": "x1", "step": "a"}

    def test_on_every_agent_that_tried(self) -> None:
        """Where an earlier attempt was made elsewhere, that agent puts back what it kept, too."""
        run = Run(step("a", retry={"max_attempts": 2}))
        run.request()
        run.start("a", "a0")
        run.finish("a", "failed", agent="a0", failure={"code": "x", "message": "no"})
        run.fire("retry-a")
        run.succeed("a")
        kept = (Snapshot("a0", None, True), Snapshot("a1", None, True))
        plan = plan_of(ran(run, captured={"a": kept}))
        assert {(item.key, item.agent, item.certain) for item in plan.items} == {
            ("a", "a1", True),
            ("a@a0", "a0", False),
        }
        assert set(Undo(plan).offered) == {"a", "a@a0"}

    def test_the_author_knows_better(self) -> None:
        """Where there is a rollback of the author nothing is restored."""
        plan = plan_of(ran(done(undone_by("a")), captured={"a": (Snapshot("a1", None, True),)}))
        assert [item.how for item in plan.items] == ["rollback"]


class TestChecks:
    def test_a_condition_is_over_what_the_rollback_returned(self) -> None:
        """It may compare that with what was known before."""
        undo = {
            "command": "noop",
            "parameters": {"n": "${{ output.n }}"},
            "verify": {"condition": "output.back == params.p"},
        }
        run = done(step("a", rollback=undo), parameters={"p": {"type": "integer", "default": 1}})
        run = Run(step("a", rollback=undo), parameters={"p": {"type": "integer"}})
        run.request(p=5)
        run.succeed("a", n=1)
        good, bad = Undo(plan_of(run)), Undo(plan_of(run))
        good.succeed("a", back=5)
        assert good.run.statuses["u1[0]"] == "completed"
        bad.succeed("a", back=6)
        assert bad.run.statuses["u1[0]"] == "retrying"

    def test_a_command_runs_behind_it(self) -> None:
        """It runs on the same agent, and the condition is over what it returned."""
        verify = {"command": "look", "parameters": {"at": "${{ output.n }}"}}
        undo = {"command": "noop", "verify": {**verify, "condition": "output.ok"}}
        run = done(undone_by("b"), step("a", "b", rollback=undo))
        plan = plan_of(run)
        assert [item.check_place for item in plan.items] == ["v1[0]", ""]
        undo_run = Undo(plan)
        undo_run.succeed("a")
        scheduled = undo_run.run.the(ev.StepScheduled)
        assert (scheduled.command, scheduled.parameters) == ("look", {"at": 1})
        assert scheduled.requirement.agent == "a1"
        undo_run.run.start("v1[0]")
        undo_run.run.finish("v1[0]", output={"ok": False}, output_bytes=9)
        assert undo_run.run.statuses["v1[0]"] == "failed"
        assert undo_run.run.statuses["u2"] == "skipped"


class TestFailures:
    def test_they_hold_back_what_depends_on_them(self) -> None:
        """What did not depend on a failure is undone."""
        run = done(undone_by("a"), undone_by("x"), undone_by("b", "a"), undone_by("y", "x"))
        undo = Undo(plan_of(run))
        failed = next(iter(undo.offered))
        undo.fail(failed)
        left = {"b": "a", "y": "x"}[failed]
        while undo.offered:
            undo.succeed(next(iter(undo.offered)))
        ended = {item.key: undo.run.state.steps.get(item.place) for item in undo.plan.items}
        assert {key for key, one in ended.items() if one is None} == {left}
        assert undo.run.status == "completed"

    def test_any_failure_stops_what_came_from_very_many(self) -> None:
        """Where more come before than can be named, the first failure is the end."""
        names = [f"b{n}" for n in range(14)]
        run = Run(undone_by("a"), *(undone_by(name, "a") for name in names))
        run.request()
        run.succeed("a")
        for name in names:
            run.start(name)
        for name in names:
            run.finish(name)
        undo = Undo(plan_of(run))
        undo.fail("b3")
        assert undo.run.status == "failed"
        assert undo.run.statuses["u15"] in ("skipped", "cancelled")


class TestLoopsFleetsAndCalls:
    def test_only_touched_targets(self) -> None:
        """Of a fleet that stopped only the targets that began are undone, each on its own."""
        undo = {"command": "noop", "parameters": {"at": "${{ agent.name }}"}}
        run = fleet(
            "a", "b", "c", step_fields={"rollback": undo}, strategy="rolling", max_failure=0
        )
        run.succeed("s[0]")
        run.fail("s[1]", retryable=False)
        plan = plan_of(run)
        assert [(i.key, i.certain) for i in plan.items] == [("s[1]", False), ("s[0]", True)]
        first = Undo(plan)
        assert list(first.offered) == ["s[1]"]
        assert first.run.the(ev.StepScheduled).parameters == {"at": "b"}

    def test_instances_bring_their_items(self) -> None:
        """Each instance of a loop is undone with its own item."""
        undo = {"command": "noop", "parameters": {"of": "${{ item }}/${{ index }}"}}
        run = Run(step("a", rollback=undo, foreach={"items": "['x', 'y']"}))
        run.request()
        run.succeed("a[0]")
        run.succeed("a[1]")
        plan = plan_of(run)
        assert [item.parameters["of"] for item in plan.items] == ["y/1", "x/0"]
        undo_run = Undo(plan)
        found = [e.parameters for e in undo_run.run.events if isinstance(e, ev.StepScheduled)]
        assert found == [{"of": "y/1"}, {"of": "x/0"}]

    def test_sub_workflows_are_flattened_in(self) -> None:
        """What a sub-workflow did is undone where its call stood, at any depth."""
        run = Run(undone_by("a"), {**CALL, "depends_on": ["a"]}, undone_by("b", "c"))
        run.request()
        run.succeed("a")
        child = run.step("c").child
        assert child is not None
        inner = Run(undone_by("x"), undone_by("y", "x"))
        inner.now, inner.execution_id = run.now, child
        inner.request()
        inner.succeed("x")
        inner.succeed("y")
        run.now = inner.now
        run.tell(ChildEnded(step="c", attempt=1, child=child, status="completed"))
        run.succeed("b")
        plan = plan_of(ran(run, {"c": (ran(inner),)}))
        assert keys(plan) == ["b", "c/y", "c/x", "a"]
        assert [item.round for item in plan.items] == [1, 2, 3, 4]
        assert {item.execution_id for item in plan.items} == {"x1", child}
        undo = Undo(plan)
        undo.fail("b")
        assert undo.run.status == "completed"
        assert undo.run.statuses["u2"] == "skipped"

    def test_earlier_calls_count_too(self) -> None:
        """A sub-workflow of an attempt that failed may have left something behind."""
        run = Run({**CALL, "retry": {"max_attempts": 2}})
        run.request()
        first, second = done(undone_by("x")), done(undone_by("x"))
        first.execution_id = "ex_first"
        plan = plan_of(ran(run, {"c": (ran(first), ran(second))}))
        assert set(keys(plan)) == {"c#1/x", "c/x"}


class TestStrategies:
    def test_manual_has_no_template(self) -> None:
        """People carry it out."""
        plan = plan_of(done(undone_by("a")), strategy="manual")
        assert (keys(plan), plan.template) == (["a"], None)

    def test_back_to_a_checkpoint(self) -> None:
        """What had completed before the point is kept, whichever branch it is in."""
        run = Run(
            undone_by("a"), undone_by("b"), undone_by("c", "a", checkpoint="half"), undone_by("d")
        )
        run.request()
        run.succeed("b")
        run.succeed("a")
        run.succeed("c")
        run.succeed("d")
        plan = plan_of(run, strategy="checkpoint", to="half")
        assert keys(plan) == ["d", "c"]
        assert plan.to == "half"
        assert {one.key for one in plan.spared} == {"a", "b"}
        assert keys(plan_of(run, strategy="checkpoint")) == ["d", "c"]
        assert keys(plan_of(run, strategy="checkpoint", to="c")) == ["d", "c"]

    def test_without_a_name_it_is_the_newest(self) -> None:
        """Where no checkpoint is named, it is the one before the last change."""
        run = done(undone_by("a"), step("s", "a", command="look"), undone_by("b", "s"))
        assert keys(plan_of(run, strategy="checkpoint")) == ["b"]

    @pytest.mark.parametrize("to", ["x", "s"])
    def test_an_unknown_one_is_refused(self, to: str) -> None:
        """The refusal names those that there are."""
        run = done(undone_by("a"), step("s", "a", command="look"))
        with pytest.raises(PlanError, match="there are: a"):
            plan_of(run, strategy="checkpoint", to=to)

    def test_of_nothing_there_is_no_checkpoint(self) -> None:
        """An execution that changed nothing has no point to go back to."""
        with pytest.raises(PlanError, match="no checkpoint"):
            plan_of(done(step("s", command="look")), strategy="checkpoint")

    def test_the_policy_of_the_template_governs_its_rollback(self) -> None:
        """Approval and timeout of the policy are those of the run; it is never rolled back."""
        policy = {"approval": {"quorum": 2}, "timeout_s": 60}
        template = plan_of(done(undone_by("a"), policies={"rollback": policy})).template
        assert template is not None
        assert template.policies.approval is not None
        assert (template.policies.approval.quorum, template.policies.timeout_s) == (2, 60)
        assert not template.policies.rollback_enabled


def test_what_had_begun_to_wait_has_run_until_then() -> None:
    """A step that was cancelled before its second leg did what it did in the first one."""
    run = Run(undone_by("a"))
    run.request()
    run.start("a", "a7")
    run.defer("a")
    run.wake("a")
    run.cancel()
    (item,) = plan_of(run).items
    assert (item.agent, item.certain) == ("a7", False)


def test_very_many_instances_take_several_loops() -> None:
    """A loop of the template takes so many items and no more; all of them are undone."""
    run = Run(undone_by("a", foreach={"items": "[1, 2, 3, 4, 5]"}), undone_by("b", "a"))
    run.request()
    for index in range(5):
        run.succeed(f"a[{index}]")
    run.succeed("b")
    plan = make_plan(ran(run), Wish(), effects, AT_MS, most=2)
    assert plan.template is not None
    assert len(plan.template.steps) == 4
    undo, done = Undo(plan), list[str]()
    while undo.offered:
        done.append(next(iter(undo.offered)))
        undo.succeed(done[-1])
    assert (len(done), done[0], undo.run.status) == (6, "b", "completed")


def test_a_checkpoint_holds_whatever_clocks_say() -> None:
    """What came before by the graph is kept, what came after is not, whatever time it was."""
    run = Run(undone_by("a"), undone_by("b", "a"), undone_by("c", "b"))
    run.request()
    for name in ("a", "b", "c"):
        run.succeed(name)
        run.now -= 1_000
    assert keys(plan_of(run, strategy="checkpoint", to="b")) == ["c", "b"]
