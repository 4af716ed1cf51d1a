"""What findings are made of: requirements, what is usual, words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.placement import Placement
from shared.contracts.agents import AgentRecord
from shared.explain.explain import explain
from shared.explain.fitting import in_words, requirement_of, unmet
from shared.explain.past import past_of
from shared.explain.wording import count, names, span
from shared.workflow.events import Requirement
from tests.unit.explain.pictures import agent, picture
from tests.unit.workflow.scenario import Run, step

words = st.sampled_from(["a", "b", "c"])


agents = st.builds(
    agent,
    words,
    capabilities=st.lists(words, max_size=3, unique=True),
    labels=st.dictionaries(words, words, max_size=3),
    draining=st.booleans(),
)
requirements = st.builds(
    Requirement,
    capabilities=st.lists(words, max_size=2, unique=True).map(tuple),
    host=st.none() | words,
    agent=st.none() | words,
    labels=st.dictionaries(words, words, max_size=2),
    any_capabilities=st.lists(words, max_size=2, unique=True).map(tuple),
)


@given(one=agents, wanted=requirements)
def test_placement_and_explanation_agree(one: AgentRecord, wanted: Requirement) -> None:
    """An agent lacks something exactly when a task is not placed on it."""
    pool, _reason = Placement().place(wanted, [one])
    assert (pool is None) == bool(unmet(one, wanted))


def test_a_requirement_is_rendered_as_it_would_be_offered() -> None:
    """The host of a step, also of an instance of a loop, is what its expression gives now; one that
    cannot be evaluated is left out."""
    run = Run(
        step("a", foreach={"items": "['h1', 'h2']"}, target={"host": "${{ item }}"}),
        step("b", target={"host": "${{ params.n[0] }}"}),
        parameters={"n": {"type": "array", "default": []}},
    )
    run.request(n=["x"])
    assert requirement_of(run.program, run.state, "a[1]").host == "h2"
    broken = run.state.model_copy(update={"parameters": {"n": []}})
    assert requirement_of(run.program, broken, "b").host is None
    everything = Requirement(
        host="h", capabilities=("c",), labels={"x": "y"}, any_capabilities=("d", "e")
    )
    assert in_words(everything) == (
        "is h and has the capability c and has one of the capabilities d, e and has x=y"
    )
    assert in_words(Requirement()) == "takes tasks"
    assert unmet(agent("a1"), everything)[0] == "is not h"


def test_what_is_usual() -> None:
    """Median and 95th percentile of what completed; instances together, failures left out."""
    states = []
    for took in (100, 200, 300):
        run = Run(step("g", approval={}), step("each", foreach={"items": "[1, 2]"}))
        run.request()
        run.tell(_approval(run), 50)
        for name in ("g", "each[0]", "each[1]"):
            run.start(name)
        for name in ("g", "each[0]", "each[1]"):
            run.now += took
            run.finish(name)
        states.append(run.state)
    failed = Run(step("g"))
    failed.request()
    failed.fail("g", retryable=False)
    past = past_of([*states, failed.state])
    assert (past.runs, past.completed) == (4, 3)
    assert past.usual["each"].runs == 6
    assert past.usual["g"].runs == 3
    assert 200 <= past.usual["g"].median_ms < 300 <= past.usual["g"].p95_ms < 400
    assert past.usual["gate:g"].median_ms >= 50
    assert past_of([]).usual == {}


def _approval(run: Run) -> Any:
    from shared.workflow.messages import Actor, ApprovalAnswered

    digest = run.gate("g").subject_hash
    return ApprovalAnswered(gate="g", approved=True, by=Actor(id="ann"), subject_hash=digest)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-5, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (119_999, "119 s"),
        (120_000, "2 min"),
        (3_600_000, "1 h"),
        (7_800_000, "2 h 10 min"),
        (90_000_000, "1 d 1 h"),
        (3 * 86_400_000, "3 d"),
    ],
)
def test_durations_in_words(milliseconds: int, words: str) -> None:
    """As people say them."""
    assert span(milliseconds) == words


def test_lists_in_words() -> None:
    """The first few, and how many more."""
    assert names("abcdefg") == "a, b, c, d, e and 2 more"
    assert names([], "nobody") == "nobody"
    assert (count(1, "message"), count(2, "message")) == ("1 message", "2 messages")


def test_a_breakpoint_is_named() -> None:
    """Who looks sees that nobody in particular paused it, and before which step."""
    run = Run(step("a"), step("b", "a"))
    run.request()
    run.break_before("b")
    run.succeed("a")
    [found] = [one for one in explain(picture(run)).findings if one.cause == "paused"]
    assert "by the breakpoint before step b" in found.says
