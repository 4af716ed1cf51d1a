"""Which live agents a selector chooses, and why each other one is not."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.agents import AgentRecord
from shared.workflow.errors import ExpressionError
from shared.workflow.fleet_events import StepTargeting
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.selecting import preferred, resolved, select


def agent(name: str, **fields: Any) -> AgentRecord:
    rest = {
        "host": f"{name}.example",
        "labels": {"role": "web"},
        "capabilities": ("gpu",),
        **fields,
    }
    return AgentRecord(name=name, version="1", started_at_ms=1, seen_at_ms=1, **rest)


def ask(where: str, **fields: Any) -> StepTargeting:
    return StepTargeting(step="s", asked=7, where=where, **fields)


def names(question: StepTargeting, *agents: AgentRecord) -> list[str]:
    return [one.name for one in select(question, agents).targets]


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("agent.name != 'b'", ["a", "c"]),
        ("agent.host.endsWith('.example')", ["a", "b", "c"]),
        ("agent.labels.role == 'web'", ["a", "c"]),
        ("has(agent.labels.zone) && agent.labels.zone == 'eu'", ["c"]),
        ("agent.labels.zone == 'eu'", ["c"]),
        ("'tpu' in agent.capabilities", ["b"]),
        ("agent.load < 0.5", ["a", "c"]),
        ("agent.load < params.most", ["a", "c"]),
        ("agent.name in params.names", ["a"]),
    ],
)
def test_what_a_selector_can_look_at(where: str, chosen: list[str]) -> None:
    """Name, host, labels, capabilities and load of an agent, and values of the execution; an agent
    without the label that is asked for does not match."""
    agents = (
        agent("c", labels={"role": "web", "zone": "eu"}),
        agent("b", labels={"role": "db"}, capabilities=("tpu",), load=0.75),
        agent("a"),
    )
    values = {"params.most": 0.5, "params.names": ["a"]}
    assert names(ask(where, values=values), *agents) == chosen


def test_who_could_not_run_it_is_no_target() -> None:
    """Whoever leaves, or lacks a label or a capability, is left out and told why."""
    agents = [
        agent("leaving", draining=True),
        agent("other", labels={"role": "db"}),
        agent("poor", capabilities=()),
        agent("right", capabilities=("gpu", "b")),
        agent("single"),
        agent("unwanted"),
    ]
    question = ask(
        "agent.name != 'unwanted'",
        labels={"role": "web"},
        capabilities=("gpu",),
        any_capabilities=("a", "b"),
    )
    chosen = select(question, agents)
    assert [one.name for one in chosen.targets] == ["right"]
    assert chosen.others == {
        "leaving": "it is leaving",
        "other": "it has none of a, b",
        "poor": "it lacks gpu",
        "single": "it has none of a, b",
        "unwanted": "the selector does not match",
    }
    bare = ask("true", labels={"role": "web"})
    assert select(bare, agents).others["other"] == "it is not labelled role=web"


def test_one_agent_for_each_host() -> None:
    """Several agents on a host are one target with `per: host`, the first by name, else several."""
    agents = [agent("b", host="x"), agent("a", host="x"), agent("c", host="y")]
    assert names(ask("true"), *agents) == ["a", "b", "c"]
    chosen = select(ask("true", per="host"), agents)
    assert [one.name for one in chosen.targets] == ["a", "c"]
    assert chosen.others == {"b": "a stands for host x"}


def test_one_of_all() -> None:
    """`one` takes the least loaded, or, to pack, the most loaded with a free slot."""
    agents = [agent("a", load=0.5), agent("b", load=0.25), agent("c", load=1.0)]
    assert names(ask("true", one=True), *agents) == ["b"]
    assert names(ask("true", one=True, placement="pack"), *agents) == ["a"]
    assert select(ask("true", one=True), agents).others["a"] == "b was chosen"
    assert names(ask("false", one=True), *agents) == []


def test_packing_what_is_full() -> None:
    """Where nobody has a free slot the least burdened gets it."""
    full = [agent("a", load=1.5), agent("b", load=1.0)]
    assert preferred(full, "pack", lambda one: one.load).name == "b"


def test_a_selector_that_can_never_be_evaluated() -> None:
    """It is an error, and in the answer the reason why there are no targets."""
    with pytest.raises(ExpressionError):
        select(ask("agent.nowhere == 1"), [agent("a")])
    answer = resolved(ask("agent.nowhere == 1"), [agent("a")])
    assert (answer.targets, answer.matched, answer.live) == ((), 0, 1)
    assert "undeclared" in answer.why


def test_the_answer() -> None:
    """It names the question, the targets in order, how many matched and lived, and who did not."""
    answer = resolved(ask("agent.name != 'b'"), [agent("c"), agent("b"), agent("a")])
    assert (answer.step, answer.asked, answer.matched, answer.live) == ("s", 7, 2, 3)
    assert [one.name for one in answer.targets] == ["a", "c"]
    assert answer.targets[0].labels == {"role": "web"}
    assert answer.why == "b: the selector does not match"


def test_an_answer_is_bounded() -> None:
    """Of more agents than a fleet can have the answer holds as many as it can, and their number."""
    answer = resolved(ask("true"), [agent(f"n{index}") for index in range(MAX_INSTANCES + 2)])
    assert (len(answer.targets), answer.matched) == (MAX_INSTANCES, MAX_INSTANCES + 2)
