"""An explanation as a whole: what is told, in which order, and what is not."""

from __future__ import annotations

from typing import Any

from shared.contracts.api.explain import Explanation, Severity
from shared.explain.explain import CAUSES, MOST_FINDINGS, explain
from shared.explain.picture import Coordination, Picture
from shared.workflow import messages as msg
from tests.unit.explain.pictures import finding, first, picture, quarantined
from tests.unit.explain.test_causes import SIGNALS, bare, calling, child_stuck, running
from tests.unit.workflow.scenario import Run, step


def test_the_childs_own_findings_are_inside() -> None:
    """Recursively: what the called execution waits for is part of the answer."""
    found = finding(child_stuck(), "child")
    assert found.child is not None
    assert [one.cause for one in found.child.findings] == ["lost"]
    grandparent = explain(calling(explain(child_stuck())))
    assert "nobody knows" in grandparent.answer
    assert Explanation.model_validate_json(grandparent.model_dump_json()) == grandparent


def test_what_is_over_hides_nothing_and_adds_nothing() -> None:
    """Of an ended execution its end is told, and no coordinator or agent is missed; what is in
    quarantine still is."""
    run = running()
    run.succeed("a")
    alone = picture(run, agents=(), coordination=Coordination(3, None))
    assert [one.cause for one in explain(alone).findings] == ["ended"]
    late = picture(run, quarantined=[quarantined(), quarantined(4), quarantined(2, resolved=True)])
    found = first(explain(late))
    assert (found.cause, found.waits_for and found.waits_for.name) == ("quarantined", "x1:4")


def test_pending_steps_come_last() -> None:
    """A step that comes after others is told after what they wait for; a join says its number;
    sections that have not begun, and steps behind a gate, are not told."""
    run = running(
        step("a"),
        step("b"),
        step("c", "a", "b", join=1),
        step("d", "c"),
        step("g", approval={}),
        always=[step("f")],
    )
    found = explain(picture(run)).findings
    assert {one.step: one.cause for one in found if one.cause == "dependency"} == {
        "c": "dependency",
        "d": "dependency",
    }
    assert "(1 of 2 have to complete)" in finding_of(found, "c").says
    assert found[-1].severity is Severity.FOLLOWS
    assert not [one for one in found if one.step in ("f", "g") and one.cause == "dependency"]
    before = Run(step("a"), step("b", "a"), policies={"approval_required": True})
    before.request()
    assert [one.cause for one in explain(picture(before)).findings] == ["approval"]


def finding_of(found: tuple[Any, ...], name: str) -> Any:
    return next(one for one in found if one.step == name)


def test_sections_are_told_when_they_have_begun() -> None:
    """After a failure main steps do not come any more; handlers do."""
    run = running(
        step("a"), step("z", "a"), on_failure=[step("h"), step("i", "h")], always=[step("f")]
    )
    run.fail("a", retryable=False)
    found = {one.step: one.cause for one in explain(picture(run)).findings}
    assert found.get("i") == "dependency"
    assert "z" not in found
    assert "f" not in found
    run.succeed("h")
    run.succeed("i")
    assert "f" in {one.step for one in explain(picture(run)).findings}


def test_many_findings_are_cut() -> None:
    """A wide execution tells the first ones, and how many more there are."""
    run = running(*(step(f"s{n}") for n in range(MOST_FINDINGS + 7)))
    found = explain(picture(run))
    assert (len(found.findings), found.more) == (MOST_FINDINGS, 7)


def test_what_is_not_known_is_not_guessed() -> None:
    """Without agents, coordination and program nothing is said about them."""
    run = running(step("a"), step("b", "a"))
    run.start("a")
    bare = picture(run, agents=None, coordination=None, program=None)
    assert [one.cause for one in explain(bare).findings] == ["running"]
    assert explain(Picture("x1", 1, damage="")).findings[0].cause == "accepted"


def test_a_moment_between_two_things() -> None:
    """Where no cause holds, it says so, and how to watch it."""
    run = Run(step("a"))
    run.request()
    shown = picture(run)
    assert shown.state is not None
    nothing = shown.state.model_copy(update={"steps": {}})
    found = explain(Picture("x1", 1, state=nothing))
    assert (found.findings, found.action) == ((), "hv watch x1")
    assert "goes on by itself" in found.answer


def test_causes_are_listed_once() -> None:
    """Each cause function stands in the table once."""
    assert len(set(CAUSES)) == len(CAUSES)


def test_signal_of_a_person_without_program() -> None:
    """A wait whose template is not known is told as waiting for something outside."""
    run = running(bare("w", wait_for=SIGNALS), step("b", "w"))
    assert finding(picture(run, program=None), "outside").step == "w"
    assert run.tell(msg.SignalReceived(id="1", name="go"))
