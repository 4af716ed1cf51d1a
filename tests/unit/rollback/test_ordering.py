"""The order in which deeds are undone, over random executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rollback.ordering import Dependencies, depends, order_of
from shared.rollback.past import Deed, Ran, deeds
from tests.unit.rollback.undoing import Undo, keys, plan_of, ran, undone_by
from tests.unit.workflow.scenario import Run


@st.composite
def executions(draw: st.DrawFn) -> Run:
    """An execution of up to seven steps with random dependencies, whose steps start and end in a
    random order that the dependencies allow."""
    count = draw(st.integers(1, 7))
    names = [f"s{n}" for n in range(count)]
    steps = [
        undone_by(name, *draw(st.sets(st.sampled_from(names[:n]), max_size=2)) if n else ())
        for n, name in enumerate(names)
    ]
    run = Run(*steps)
    run.request()
    while run.status == "running":
        ready = [k for k, s in run.statuses.items() if s in ("scheduled", "running")]
        name = draw(st.sampled_from(ready))
        if run.statuses[name] == "scheduled":
            run.start(name)
        else:
            run.finish(name)
    return run


def _by_key(run: Run) -> dict[str, Deed]:
    return {deed.key: deed for deed in deeds(ran(run))}


@settings(max_examples=150, deadline=None)
@given(executions())
def test_it_is_the_reverse_and_as_parallel(run: Run) -> None:
    """What depended on something, or began after it, is undone in an earlier round; what overlapped
    with all of a chain is not held back by it; nothing waits for itself."""
    found = _by_key(run)
    order = order_of({key: [deed] for key, deed in found.items()})
    for one, deed in found.items():
        for other, earlier in found.items():
            if depends(deed, earlier) or earlier.ended_ms <= deed.began_ms:
                assert order.rounds[one] < order.rounds[other]
    first = [key for key, number in order.rounds.items() if number == 1]
    last_began = max(deed.began_ms for deed in found.values())
    assert {key for key, deed in found.items() if deed.ended_ms > last_began} == set(first)


@settings(max_examples=100, deadline=None)
@given(executions(), st.data())
def test_all_of_it_is_undone_whatever_the_pace(run: Run, data: st.DataObject) -> None:
    """Whichever of the items that are offered ends first, all are undone, each once, and each after
    all that came after it."""
    plan = plan_of(run)
    undo, done = Undo(plan), list[str]()
    while undo.offered:
        key = data.draw(st.sampled_from(sorted(undo.offered)))
        undo.succeed(key)
        done.append(key)
    assert undo.run.status == "completed"
    assert sorted(done) == sorted(keys(plan)) == sorted(run.statuses)
    found = _by_key(run)
    for position, key in enumerate(done):
        for later in done[position + 1 :]:
            assert not depends(found[later], found[key])
            assert found[key].ended_ms > found[later].began_ms


@settings(max_examples=100, deadline=None)
@given(executions(), st.data())
def test_a_failure_holds_back_what_it_depended_on_only(run: Run, data: st.DataObject) -> None:
    """When one item fails, exactly what it depended on by the graph is left out."""
    plan = plan_of(run)
    broken = data.draw(st.sampled_from(keys(plan)))
    undo, done = Undo(plan), set[str]()
    while undo.offered:
        key = data.draw(st.sampled_from(sorted(undo.offered)))
        if key == broken:
            undo.fail(key)
        else:
            undo.succeed(key)
            done.add(key)
    found = _by_key(run)
    held = {key for key in found if depends(found[broken], found[key])}
    assert done == set(found) - held - {broken}


@st.composite
def below_calls(draw: st.DrawFn) -> list[Deed]:
    """Deeds of steps and of sub-workflows, one of which was called by two steps, the other one
    twice by one, at any time, whatever depends on what."""

    def chained(*names: str, call: str = "") -> Run:
        steps: list[dict[str, Any]] = []
        for name in names:
            earlier = [str(one["id"]) for one in steps]
            wanted = sorted(draw(st.sets(st.sampled_from(earlier)))) if earlier else []
            called = {"id": name, "workflow": {"template": "t", "version": "1.0.0"}}
            made = {**called, "depends_on": wanted} if name in call else undone_by(name, *wanted)
            steps.append(made)
        run = Run(*steps)
        run.request()
        while scheduled := [k for k, s in run.statuses.items() if s == "scheduled"]:
            run.succeed(scheduled[0])
        return run

    first, second = ran(chained("x", "y", "z")), ran(chained("x", "y"))
    outer = chained("a", "c", "d", "e", "b")
    program = chained("a", "c", "d", "e", "b", call="cde").program
    children = {"c": (first,), "d": (first,), "e": (second, second)}
    found = list(deeds(Ran(program, outer.state, children)))
    draw(st.randoms()).shuffle(found)
    moments = st.integers(1, 30)
    return [
        replace(one, began_ms=(began := draw(moments)), ended_ms=began + draw(moments))
        for one in found
    ]


@settings(max_examples=100, deadline=None)
@given(below_calls())
def test_what_depends_on_what_is_the_same_for_all_at_once(found: list[Deed]) -> None:
    """The bits of many deeds say what `depends` says of each pair."""
    graph = Dependencies(found)
    for place, one in enumerate(found):
        for other, earlier in enumerate(found):
            assert bool(graph.earlier(place) >> other & 1) == depends(one, earlier)
            assert bool(graph.later(other) >> place & 1) == depends(one, earlier)


@settings(max_examples=100, deadline=None)
@given(below_calls())
def test_the_order_says_all_and_nothing_twice(found: list[Deed]) -> None:
    """What follows from the order is what depends on what, and with times what clocks say, too;
    none that comes right before another one comes before it by a third."""
    named = {one.key: one for one in found}
    order = order_of({key: [one] for key, one in named.items()})
    for links in (order.needs, order.after):
        behind = {key: _behind(links, key) for key in named}
        for direct in links.values():
            assert not any(one in behind[other] for one in direct for other in direct)
        for key, earlier in named.items():
            dependent = {name for name, one in named.items() if depends(one, earlier)}
            if links is order.needs:
                assert behind[key] == dependent
            else:
                assert dependent <= behind[key]
    for key in named:
        for name in _behind(order.after, key):
            assert order.rounds[name] < order.rounds[key]


def _behind(links: Mapping[str, tuple[str, ...]], name: str) -> set[str]:
    found = set(links[name])
    for one in links[name]:
        found |= _behind(links, one)
    return found


def test_clocks_that_were_set_back_change_nothing() -> None:
    """What depended on something is undone before it, though its time says that it came first."""
    run = Run(undone_by("a"), undone_by("b", "a"), undone_by("c", "b"))
    run.request()
    run.succeed("a")
    run.now -= 1_000
    run.succeed("b")
    run.now -= 1_000
    run.succeed("c")
    plan = plan_of(run)
    assert keys(plan) == ["c", "b", "a"]
    assert [item.round for item in plan.items] == [1, 2, 3]
