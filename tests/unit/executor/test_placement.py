"""Placement: shared pools where anybody will do, else the agent that has least to do."""

from __future__ import annotations

from collections import Counter
from typing import Any

from services.executor.placement import Placement, served_pools
from shared.contracts.agents import AgentRecord
from shared.workflow.events import Requirement

WEB = Requirement(labels={"role": "web"})


def agent(name: str, **fields: Any) -> AgentRecord:
    rest = {"labels": {"role": "web"}, "slots": 4, "seen_at_ms": 5, **fields}
    return AgentRecord(name=name, host=f"{name}.example", version="1", started_at_ms=1, **rest)


def test_what_anybody_can_do_goes_to_a_shared_pool() -> None:
    """Nothing needed: the pool of all; one capability: the pool of that."""
    agents = [agent("a", capabilities=("gpu",))]
    assert Placement().place(Requirement(), agents) == ("any._", "")
    assert Placement().place(Requirement(capabilities=("gpu",)), agents) == ("cap.gpu", "")


def test_the_least_loaded_agent_that_fits_is_taken() -> None:
    """Of those that have the labels, by the share of slots in use, then the load of the host."""
    agents = [agent("a", load=0.5), agent("b", load=0.25, system_load=2), agent("c", load=0.25)]
    others = [agent("d", labels={}), agent("e", draining=True)]
    assert Placement().place(WEB, [*agents, *others]) == ("host.c", "")


def test_many_at_once_are_spread_by_slots() -> None:
    """Tasks placed between two records of an agent count as its load."""
    placement = Placement()
    agents = [agent("a"), agent("b"), agent("c", slots=8)]
    pools = Counter(placement.place(WEB, agents)[0] for _ in range(16))
    assert pools == {"host.a": 4, "host.b": 4, "host.c": 8}


def test_a_new_record_counts_anew() -> None:
    """What an agent says of itself later replaces what was counted since it spoke before."""
    placement = Placement()
    assert placement.place(WEB, [agent("a"), agent("b")])[0] == "host.a"
    assert placement.place(WEB, [agent("a"), agent("b")])[0] == "host.b"
    later = [agent("a", seen_at_ms=9), agent("b", load=0.25, seen_at_ms=9)]
    assert placement.place(WEB, later)[0] == "host.a"


def test_nobody_fits_and_why() -> None:
    """The reason names what was wanted and who lives."""
    pool, reason = Placement().place(Requirement(host="z", labels={"x": "y"}), [agent("a")])
    assert pool is None
    assert reason == "no live agent has host 'z' and labels x=y (live agents: a)"


def test_served_pools_are_those_of_agents_that_take_tasks() -> None:
    """An agent that is leaving serves nothing any more."""
    agents = [agent("a", capabilities=("gpu",)), agent("b", draining=True, capabilities=("tpu",))]
    assert served_pools(agents) == {"any._", "cap.gpu", "host.a"}
    assert served_pools([]) == frozenset()


def test_a_target_goes_to_its_agent_alone() -> None:
    """A target is an agent by name, even where another one's host is called like it."""
    agents = [
        agent("a"),
        AgentRecord(name="b", host="a", version="1", started_at_ms=1, seen_at_ms=1),
    ]
    assert Placement().place(Requirement(agent="a"), agents) == ("host.a", "")
    pool, reason = Placement().place(Requirement(agent="a"), agents[1:])
    assert pool is None
    assert reason == "no live agent has the name 'a' (live agents: b)"


def test_one_capability_of_several() -> None:
    """An agent with one of the capabilities fits; the reason names them where nobody does."""
    wanted = Requirement(any_capabilities=("gpu", "tpu"))
    agents = [agent("a"), agent("b", capabilities=("tpu",))]
    assert Placement().place(wanted, agents) == ("host.b", "")
    _, reason = Placement().place(wanted, agents[:1])
    assert reason.startswith("no live agent has one of the capabilities gpu, tpu")


def test_spread_and_pack() -> None:
    """With a placement a step goes to one agent: the least loaded, or the fullest with room."""
    agents = [agent("a", load=0.25), agent("b", load=0.5), agent("c", load=1.0)]
    assert Placement().place(Requirement(placement="spread"), agents) == ("host.a", "")
    packing = Placement()
    pools = [packing.place(Requirement(placement="pack"), agents)[0] for _ in range(4)]
    assert pools == ["host.b", "host.b", "host.a", "host.a"]
