"""What `paranoid` finds: a forecast, the network, the hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.outcomes.viewing import command_view
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.message_base import AttemptRecord
from shared.workflow.state import ExecutionState, StepState
from tests.unit.outcomes.made_runs import a_run
from tests.unit.outcomes.test_tuning import learned
from tests.unit.validator.hive import NOW_MS, SmallHive, codes, shell, template


@pytest.fixture
def hive() -> SmallHive:
    return SmallHive()


def earlier(number: int, outcome: str, seconds: float = 1.0) -> ExecutionState:
    """An earlier run of `t` with one step."""
    record = AttemptRecord(
        number=1,
        outcome=outcome,
        agent="one",
        started_at_ms=NOW_MS,
        finished_at_ms=NOW_MS + round(seconds * 1000),
    )
    status = StepStatus.COMPLETED if outcome == "completed" else StepStatus.FAILED
    ended = ExecutionStatus.COMPLETED if outcome == "completed" else ExecutionStatus.FAILED
    return ExecutionState(
        execution_id=f"x{number}",
        template_id="t",
        template_version="1.0.0",
        category="custom",
        status=ended,
        steps={"a": StepState(status=status, attempt=1, attempts=(record,))},
        ended_at_ms=NOW_MS + number,
    )


def ran(hive: SmallHive, completed: int, failed: int = 0, seconds: float = 1.0) -> None:
    for number in range(completed + failed):
        outcome = "completed" if number < completed else "failed"
        hive.executions.store(earlier(number, outcome, seconds))


async def test_a_run_that_was_safe_is_foreseen_to_be(hive: SmallHive) -> None:
    """With enough earlier runs nothing is assumed, and nothing is found."""
    await hive.agent("one")
    ran(hive, 100)
    answer = await hive.ask(template(shell(irreversible="it is a look")), "paranoid")
    assert answer.findings == ()
    assert answer.forecast is not None
    assert answer.forecast.learned_runs == 100
    assert answer.forecast.success.probability > 0.95


async def test_what_nothing_is_known_of_is_said_to_be_assumed(hive: SmallHive) -> None:
    """The forecast is there, and says what it rests on."""
    await hive.agent("one")
    found = await hive.findings(template(shell(rollback={"command": "noop"})), "paranoid")
    assert "assumed-figures" in codes(found)
    assert "failure rates of a are assumed" in found[-1].message


async def test_what_its_command_did_elsewhere_takes_the_place_of_what_is_assumed(
    hive: SmallHive,
) -> None:
    """A template without runs leans on what was learned of its command, and says so."""
    await hive.agent("one")
    runs = [a_run(n, n % 2 == 0, f"other-{n % 7}", lasted_ms=40_000) for n in range(140)]
    view = command_view("shell", learned(runs))
    await hive.outcomes.put((view,))
    answer = await hive.ask(template(shell(rollback={"command": "noop"})), "paranoid")
    assert "assumed-figures" not in codes(list(answer.findings))
    assert answer.forecast is not None
    figures = {one.what: one for one in answer.forecast.figures}
    assert {one.source for one in figures.values()} == {"command"}
    assert figures["failure_rate"].value == pytest.approx(0.5, abs=0.05)
    assert figures["duration_s"].value == pytest.approx(40, rel=0.03)


async def test_a_run_that_often_failed_is_likely_to_fail(hive: SmallHive) -> None:
    """At the step where it failed, with the interval; and what that leaves behind."""
    await hive.agent("one")
    ran(hive, 50, 50)
    found = await hive.findings(template(shell()), "paranoid")
    assert codes(found) == ["likely-to-fail", "unclean-failure"]
    assert found[0].path == "steps/0"
    assert "most at a" in found[0].message
    assert "a (unprotected)" in found[1].message


async def test_a_timeout_that_is_too_short_is_found(hive: SmallHive) -> None:
    """Attempts took longer than the timeout is now."""
    await hive.agent("one")
    ran(hive, 50, seconds=40)
    found = await hive.findings(
        template(shell(timeout_s=30, rollback={"command": "noop"})), "paranoid"
    )
    assert "too-short-timeout" in codes(found)
    assert "likely-to-fail" in codes(found)


async def test_a_sub_workflow_is_foreseen_with_what_it_did(hive: SmallHive) -> None:
    """Its template and its earlier runs are read."""
    await hive.agent("one")
    ran(hive, 100)
    await hive.store(template(shell()))
    call = {"id": "call", "workflow": {"template": "t", "version": "1.0.0"}}
    answer = await hive.ask(template(call, id="parent"), "paranoid")
    assert answer.forecast is not None
    assert {one.source for one in answer.forecast.figures} == {"simulated"}
    assert answer.forecast.success.probability > 0.95


@pytest.mark.parametrize(
    ("record", "code", "severity"),
    [
        ({"system_load": 3.0}, "overloaded-host", "warning"),
        ({"memory_percent": 99.0}, "overloaded-host", "warning"),
        ({"disk_percent": 93.0}, "disk-nearly-full", "warning"),
        ({"disk_percent": 99.0}, "disk-nearly-full", "error"),
        ({"skew_ms": 5_000}, "clock-skew", "warning"),
        ({"skew_ms": -5_000}, "clock-skew", "warning"),
    ],
)
async def test_hosts_in_trouble_are_found(
    hive: SmallHive, record: dict[str, Any], code: str, severity: str
) -> None:
    """Load, memory, disk and clock of an agent that would run it; others do not count."""
    await hive.agent("one", **record)
    await hive.agent("other", capabilities=("http",), disk_percent=99.0)
    ran(hive, 100)
    found = await hive.findings(template(shell(rollback={"command": "noop"})), "paranoid")
    assert [(f.code, f.severity) for f in found] == [(code, severity)]
    assert found[0].message.startswith("one: ")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def met(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


def http(url: str) -> dict[str, Any]:
    return {"id": "a", "command": "http", "parameters": {"url": url}}


async def test_an_address_is_tried_from_the_agent(hive: SmallHive, port: int) -> None:
    """Reached raises nothing, also where the URL comes from a parameter; nobody there is found."""
    await hive.agent("one")
    ran(hive, 100)
    declared = {"port": {"type": "string"}}
    one = template(http("http://127.0.0.1:${{ params.port }}/x"), parameters=declared)
    assert await hive.findings(one, "paranoid", parameters={"port": str(port)}) == []
    found = await hive.findings(one, "paranoid", parameters={"port": "1"})
    assert [(f.code, f.severity) for f in found] == [("unreachable-host", "error")]
    assert "one cannot connect to 127.0.0.1:1" in found[0].message
    assert found[0].path == "steps/0/parameters/url"
