"""What a forecast says."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.agents import AgentRecord
from shared.contracts.forecasts import Forecast
from shared.forecast.experience import UNSEEN, Attempts, Nothing, Seen, Share, distribution
from shared.forecast.forecasting import forecast
from shared.forecast.learned import LearnedCommand
from shared.forecast.world import Known, World
from shared.workflow.program import Program
from tests.unit.forecast.templates import REGISTRY, compiled, shell

WORLD = World(REGISTRY)


class Told(Nothing):
    """Experience as a test tells it."""

    def __init__(self, runs: int = 100, **steps: Attempts) -> None:
        self.runs = runs
        self._steps = steps
        self.waits: dict[str, Seen] = {}
        self.held: dict[str, Share] = {}

    def attempts(self, step: str, agent: str = "") -> Attempts | None:
        return self._steps.get(f"{step}_{agent}" if agent else step)

    def condition(self, step: str) -> Share | None:
        return self.held.get(step)

    def wait_s(self, name: str) -> Seen:
        return self.waits.get(name, UNSEEN)


def seen(ended: int, failed: int = 0, seconds: float = 2.0, **others: int) -> Attempts:
    """So many attempts, all of which took about as long."""
    took = distribution([seconds * (0.9 + 0.2 * n / ended) for n in range(ended)])
    return Attempts(ended=ended, failed=failed, durations_s=took, **others)


def foreseen(program: Program, experience: Any = None, **others: Any) -> Forecast:
    return forecast(program, others.pop("parameters", {}), WORLD, experience, **others)


def agent(name: str, **others: Any) -> AgentRecord:
    return AgentRecord(name=name, host=name, version="1", started_at_ms=1, seen_at_ms=1, **others)


def test_the_same_seed_gives_the_same_forecast() -> None:
    """Everything that is said is the same, and another seed says something else."""
    program = compiled([shell("a"), shell("b", "a")])
    assert foreseen(program, seed=7) == foreseen(program, seed=7)
    assert foreseen(program, seed=7) != foreseen(program, seed=8)


def test_what_was_seen_counts_and_what_was_not_is_assumed() -> None:
    """Each figure says where it comes from, and how many cases it was learned from."""
    program = compiled([shell("known"), shell("few", "known"), shell("new", "few")])
    experience = Told(known=seen(200, 20), few=seen(3))
    found = {(one.step, one.what): one for one in foreseen(program, experience).figures}
    assert found["known", "failure_rate"].source == "history"
    assert found["known", "failure_rate"].seen == 200
    assert found["known", "failure_rate"].value == pytest.approx(0.1, abs=0.01)
    assert found["known", "duration_s"].value == pytest.approx(2.0, abs=0.05)
    assert found["few", "failure_rate"].source == "mixed"
    assert found["new", "failure_rate"].source == "prior"
    assert found["new", "failure_rate"].seen == 0


def test_the_probability_is_that_of_the_steps() -> None:
    """Two steps that fail one time in ten each: about 81 of 100 runs succeed."""
    program = compiled([shell("a"), shell("b", "a")])
    experience = Told(a=seen(5_000, 500), b=seen(5_000, 500))
    success = foreseen(program, experience, runs=4_000).success
    assert success.probability == pytest.approx(0.81, abs=0.03)
    assert success.low < 0.81 < success.high
    assert success.high - success.low < 0.06


def test_little_knowledge_is_a_wide_interval() -> None:
    """The fewer attempts the rates come from, the wider the interval."""
    program = compiled([shell("a")])
    widths = []
    for ended in (10, 100, 10_000):
        success = foreseen(program, Told(a=seen(ended, ended // 10))).success
        widths.append(success.high - success.low)
    assert widths[0] > widths[1] > widths[2]


def test_retries_help_as_far_as_they_did() -> None:
    """What fails again after it failed is not mended by trying again."""
    steps = [shell("a", retry={"max_attempts": 3, "delay_s": 0})]
    stays = Told(a=seen(2_000, 400, again=400, again_failed=400))
    goes = Told(a=seen(2_000, 400, again=400, again_failed=0))
    program = compiled(steps)
    assert foreseen(program, stays).success.probability == pytest.approx(0.8, abs=0.05)
    assert foreseen(program, goes).success.probability > 0.97


def test_the_critical_path_is_the_slow_one() -> None:
    """Of two branches the slower one is critical, and the join after them."""
    program = compiled(
        [shell("a"), shell("slow", "a"), shell("fast", "a"), shell("z", "slow", "fast")]
    )
    experience = Told(a=seen(50), slow=seen(50, seconds=60.0), fast=seen(50), z=seen(50))
    path = foreseen(program, experience).critical_path
    assert [one.step for one in path if one.main] == ["a", "slow", "z"]
    assert all(one.share > 0.9 for one in path if one.main)


def test_durations_are_those_that_were_seen() -> None:
    """Two steps of two seconds in a row take four, and what starts them."""
    found = foreseen(compiled([shell("a"), shell("b", "a")]), Told(a=seen(99), b=seen(99)))
    assert found.duration_s.p50 == pytest.approx(4.0, abs=0.4)
    assert found.duration_s.p50 <= found.duration_s.p90 <= found.duration_s.p99


def test_the_steps_that_fail_most_are_named_first() -> None:
    """The risks are in order, and share the failures out."""
    program = compiled([shell("safe"), shell("shaky", "safe")])
    risks = foreseen(program, Told(safe=seen(500, 5), shaky=seen(500, 100))).risks
    assert risks[0].step == "shaky"
    assert risks[0].share > 0.8
    assert sum(one.share for one in risks) == pytest.approx(1.0, abs=0.01)


def test_a_step_that_nobody_can_run_fails() -> None:
    """With the live agents known, what none of them can do fails for want of one."""
    program = compiled([shell("a", required_capabilities=["gpu"])])
    agents = [agent("one", capabilities=("shell",))]
    found = forecast(program, {}, World(REGISTRY, agents))
    assert found.success.probability == 0
    assert found.risks[0].code == "no_agent"
    assert any("no live agent can run a" in one for one in found.assumptions)
    served = [agent("two", capabilities=("shell", "gpu"))]
    assert forecast(program, {}, World(REGISTRY, served)).success.probability > 0.8


def test_parameters_that_cannot_be_rendered_fail_every_run() -> None:
    """An expression that fails for these parameters is found."""
    steps = [shell("a") | {"parameters": {"script": "echo ${{ 10 / params.n }}"}}]
    program = compiled(steps, parameters={"n": {"type": "integer"}})
    assert foreseen(program, parameters={"n": 0}, runs=20).success.probability == 0
    assert foreseen(program, parameters={"n": 2}, runs=20).success.probability > 0.5


def test_a_condition_over_parameters_is_evaluated() -> None:
    """What the parameters rule out does not run, and cannot fail."""
    steps = [shell("a", when="params.all"), shell("b")]
    program = compiled(steps, parameters={"all": {"type": "boolean"}})
    shaky = Told(a=seen(1_000, 999), b=seen(1_000))
    assert foreseen(program, shaky, parameters={"all": False}).success.probability > 0.95
    assert foreseen(program, shaky, parameters={"all": True}).success.probability < 0.1


def test_a_parameter_that_is_not_given_is_not_known() -> None:
    """Without a run, what depends on a required parameter is drawn, and fails nothing."""
    steps = [
        shell("a", when="params.n > 1") | {"parameters": {"script": "echo ${{ 10 / params.n }}"}},
        shell("b", foreach={"items": "params.hosts"}),
    ]
    declared = {"n": {"type": "integer"}, "hosts": {"type": "array"}}
    program = compiled(steps, parameters=declared)
    assert foreseen(program, Told(a=seen(1_000), b=seen(1_000)), runs=60).success.probability > 0.9


def test_a_condition_over_an_output_is_drawn_as_it_was_seen() -> None:
    """What nobody can know before the run holds as often as it did."""
    steps = [shell("a"), shell("b", "a", when="steps.a.output.exit_code == 0")]
    experience = Told(a=seen(1_000), b=seen(1_000, 999))
    experience.held["b"] = Share(times=1_000, held=200)
    found = foreseen(compiled(steps), experience)
    assert found.success.probability == pytest.approx(0.8, abs=0.06)


def test_a_sub_workflow_is_simulated() -> None:
    """A known child ends as its own runs do; of an unknown one it is said that nothing is known."""
    child = compiled([shell("x")], id="child")
    steps = [{"id": "call", "workflow": {"template": "child", "version": "1.0.0"}}]
    program = compiled(steps)
    known = {("child", "1.0.0"): Known(child, Told(x=seen(1_000, 500)))}
    found = forecast(program, {}, World(REGISTRY, templates=known))
    assert found.success.probability == pytest.approx(0.5, abs=0.1)
    assert {one.source for one in found.figures} == {"simulated"}
    unknown = foreseen(program)
    assert any("of the sub-workflow of call nothing is known" in a for a in unknown.assumptions)


ORDERED: dict[str, dict[str, Any]] = {
    "loop": {"steps": [shell("a", foreach={"items": "params.hosts", "concurrency": 2})]},
    "until": {"steps": [shell("a", until={"condition": "output.exit_code == 0", "max_rounds": 5})]},
    "fleet": {"steps": [shell("a", target={"where": "true", "strategy": "rolling", "canary": 1})]},
    "first": {"steps": [shell("a"), shell("b"), shell("c", "a", "b", join="any")]},
    "lock": {"steps": [shell("a", lock="l"), shell("b", lock="l")]},
    "gate": {"steps": [shell("a", approval={"quorum": 2, "approvers": {"groups": ["ops"]}})]},
    "slot": {"steps": [shell("a", concurrency={"key": "k-${{ params.n }}"})]},
    "wait": {
        "steps": [
            {"id": "w", "wait_for": {"options": [{"signal": "go"}, {"after_s": 30}]}},
            shell("a", "w"),
        ]
    },
    "milestone": {"steps": [shell("a"), shell("b"), shell("c", milestone={"reached": "a"})]},
    "region": {"steps": [shell("a", region="r"), shell("b", cancels=["r"])]},
    "whole_slot": {"steps": [shell("a")], "policies": {"concurrency": {"key": "k"}}},
}


@pytest.mark.parametrize("name", ORDERED)
def test_where_the_order_counts_the_core_plays_every_run(name: str) -> None:
    """Loops, fleets, waits, gates, locks and limits come to an end, and mostly succeed."""
    made = dict(ORDERED[name])
    parameters = {"hosts": {"type": "array"}, "n": {"type": "integer", "default": 1}}
    program = compiled(made.pop("steps"), parameters=parameters, **made)
    given = {"hosts": ["x", "y", "z"], "n": 1}
    found = foreseen(program, parameters=given, runs=100)
    assert found.method == "direct"
    assert found.played == found.runs == 100
    assert found.success.probability > 0.4
    assert any("the core played every run" in one for one in found.assumptions)


def test_a_timeout_of_the_execution_is_felt() -> None:
    """A run that takes longer than the execution may is cancelled, and does not succeed."""
    slow = Told(a=seen(100, seconds=30.0))
    policies = {"timeout_s": 10}
    found = foreseen(compiled([shell("a")], policies=policies), slow, runs=50)
    assert found.success.probability == 0
    assert foreseen(compiled([shell("a")]), slow, runs=50).success.probability > 0.9


def test_people_take_as_long_as_they_did() -> None:
    """The gate before everything is part of the duration."""
    experience = Told(a=seen(100))
    experience.waits["workflow"] = distribution([3_600.0] * 50)
    program = compiled([shell("a")], policies={"approval_required": True})
    found = foreseen(program, experience, runs=200)
    assert found.duration_s.p50 == pytest.approx(3_602, abs=2)
    assert found.method == "memoised"


def test_too_many_messages_are_fewer_runs() -> None:
    """A forecast is bounded: what would take too long is simulated less often, and says so."""
    steps = [shell("a", foreach={"items": "params.all"})]
    program = compiled(steps, parameters={"all": {"type": "array"}})
    found = foreseen(program, parameters={"all": list(range(400))})
    assert 50 < found.runs < 200
    assert found.played == found.runs


def test_what_a_rollback_could_do_is_said_for_each_point() -> None:
    """Compensated and captured steps can be undone, an irreversible or unprotected one cannot."""
    write = {"operation": "write", "path": "/tmp/x", "content": "x"}
    steps = [
        {"id": "file", "command": "file", "parameters": write},
        shell("undoable", "file", rollback={"command": "shell", "parameters": {"script": "x"}}),
        shell("mail", "undoable", irreversible="a letter is sent"),
        shell("bare", "mail"),
    ]
    points = {one.step: one for one in foreseen(compiled(steps)).failure_points}
    assert points["file"].clean
    assert points["undoable"].clean
    assert [(u.step, u.how) for u in points["undoable"].undone] == [
        ("undoable", "compensated"),
        ("file", "captured"),
    ]
    assert not points["mail"].clean
    assert points["bare"].undone[0].how == "unprotected"
    off = compiled(steps[:1], policies={"rollback_enabled": False})
    assert not foreseen(off).failure_points[0].clean


def test_what_never_ran_leans_on_the_same_command_elsewhere() -> None:
    """Without runs of its own a step is taken to fail and to last as its command does in other
    templates; with many runs of its own it is not."""
    program = compiled([shell("known"), shell("new", "known")])
    took = distribution([9.0 + n / 100 for n in range(100)])
    elsewhere = LearnedCommand(attempts=400, failing=0.4, weight=10.0, durations_s=took)
    world = World(WORLD.commands, learned={"shell": elsewhere})
    experience = Told(known=seen(400, 4))
    made = forecast(program, {}, world, experience)
    found = {(one.step, one.what): one for one in made.figures}
    assert found["new", "failure_rate"].source == "command"
    assert found["new", "failure_rate"].value == pytest.approx(0.4)
    assert found["new", "duration_s"].value == pytest.approx(9.5, abs=0.2)
    assert found["known", "failure_rate"].value == pytest.approx(0.02, abs=0.01)
    assert made.success.probability == pytest.approx(0.59, abs=0.05)


def test_a_command_that_hardly_ran_elsewhere_is_assumed() -> None:
    """A few attempts do not take the place of what is assumed; and what waits lasts as it says."""
    few = LearnedCommand(attempts=3, failing=1.0, weight=5.0)
    many = LearnedCommand(attempts=500, failing=0.5, weight=10.0)
    world = World(WORLD.commands, learned={"shell": few, "wait": many})
    waits = {"id": "pause", "command": "wait", "parameters": {"seconds": 5}}
    made = forecast(compiled([shell("new"), waits]), {}, world)
    assert {one.source for one in made.figures} == {"prior"}


def test_what_is_not_simulated_is_said() -> None:
    """Conditions and lists that need an output, and what a way back needs of a run, are named."""
    undo = {"command": "shell", "parameters": {"script": "undo ${{ output.exit_code }}"}}
    steps = [
        shell("look", rollback=undo),
        shell("maybe", "look", when="steps.look.output.exit_code == 0"),
        shell("each", "look", foreach={"items": "steps.look.output.stdout"}),
    ]
    said = foreseen(compiled(steps)).assumptions
    assert "outputs are not simulated: conditions of maybe hold by chance" in said
    assert "outputs are not simulated: lists of each have a number of items by chance" in said
    assert any("with which values: look" in one for one in said)
    plain = foreseen(compiled([shell("a"), shell("b", "a")])).assumptions
    assert not any("simulated" in one or "values" in one for one in plain)


def test_what_a_sub_workflow_changes_counts_where_a_run_fails() -> None:
    """A rollback would meet it: a call whose steps have no way back is not clean."""
    inner = compiled([shell("bare")])
    call = {"id": "call", "workflow": {"template": "inner", "version": "1.0.0"}}
    outer = compiled([call, shell("after", "call", irreversible="a letter")])
    known = World(commands=REGISTRY, templates={("inner", "1.0.0"): Known(inner, Nothing())})
    (point,) = [p for p in forecast(outer, {}, known).failure_points if p.step == "after"]
    assert [(u.step, u.how) for u in point.undone] == [
        ("after", "irreversible"),
        ("call/bare", "unprotected"),
    ]
