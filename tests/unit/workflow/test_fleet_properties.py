"""What holds of every fleet, whatever its size, its rule, and whatever becomes of its targets."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.workflow import events as ev
from shared.workflow.fleets import Target
from tests.unit.workflow.fleet_runs import WEB, fleet
from tests.unit.workflow.scenario import Run

SHARES = st.one_of(st.integers(1, 12), st.integers(0, 100).map(lambda n: f"{n}%"))
BUDGETS = st.one_of(st.integers(0, 12), st.integers(0, 100).map(lambda n: f"{n}%"))
RULES = st.fixed_dictionaries(
    {"max_failure": BUDGETS},
    optional={
        "canary": SHARES,
        "stop_on": st.sampled_from(
            ["first_failure", "max_failure", ["canary_failure", "max_failure"], []]
        ),
    },
)


@given(st.integers(0, 1_000), SHARES, SHARES)
def test_batches_share_all_targets_out(total: int, canary: int | str, batch: int | str) -> None:
    """Batches have all targets, none is empty, and none is larger than the rule says."""
    rule = {"where": WEB, "strategy": "rolling", "canary": canary, "batch": batch}
    target = Target.model_validate(rule)
    sizes = target.batches(total)
    assert sum(sizes) == total
    assert all(size > 0 for size in sizes)
    for share, size in [(canary, sizes[:1]), *((batch, [one]) for one in sizes[1:])]:
        most = share if isinstance(share, int) else max(1, -(-total * int(share[:-1]) // 100))
        assert all(one <= most for one in size)


@settings(max_examples=60, deadline=None)
@given(st.data(), RULES, SHARES, st.integers(1, 9))
def test_a_fleet_at_work(data: st.DataObject, rule: dict[str, Any], batch: Any, total: int) -> None:
    """Whatever fails: one batch at a time, the canary first; nothing begins beyond the budget; the
    step fails exactly if it was stopped or more failed than may."""
    names = [f"n{index}" for index in range(total)]
    run = fleet(*names, strategy="rolling", batch=batch, **rule)
    target = run.program.step("s").step.target
    failed = 0
    while run.statuses["s"] == "expanded":
        under_way = _under_way(run)
        batches = {_batch(run, name) for name in under_way}
        assert len(batches) == 1
        assert len(under_way) <= target.batches(total)[batches.pop() - 1]
        name = data.draw(st.sampled_from(under_way))
        if data.draw(st.booleans()):
            run.succeed(name)
            continue
        failed += 1
        run.fail(name, retryable=False)
        begun = [event for event in run.events if isinstance(event, ev.StepBatchStarted)]
        if target.stops_on("max_failure") and failed > target.budget(total):
            assert begun == []
    stopped = any(
        isinstance(event, ev.StepFleetStopped) for kept in run.history for event in kept.events
    )
    fails = stopped or failed > target.budget(total)
    assert run.statuses["s"] == ("failed" if fails else "completed")
    output = run.step("s").output
    assert output["failed"] == failed
    assert output["completed"] + output["failed"] + output["skipped"] == total
    assert bool(output["skipped"]) <= stopped


def _under_way(run: Run) -> list[str]:
    return [name for name, status in run.statuses.items() if "[" in name and status == "scheduled"]


def _batch(run: Run, name: str) -> int:
    instance = run.step(name).instance
    assert instance is not None
    return instance.batch
