"""`./hv demo`: what it promises happens on real agents, and what it prints is what is stored."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hv_process import Hv

FIRST = ("incident_response", "fleet_report")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_demo(tmp_path: Path) -> None:
    """The demo ends with 0; its retry, condition, parallel part and delegated task are real; the
    stack stays up, and goes down with `hv down`.
    """
    home = tmp_path / "hive"
    home.mkdir()
    hv = Hv(home)
    try:
        demo = hv("demo")
        assert demo.code == 0, demo.out + demo.err
        assert (
            "Two workflows completed, a rollout was undone, and its correction completed."
            in demo.out
        )
        assert "hv down" in demo.out
        _check_stored(hv, demo.out)
        again = hv("demo", "--json").json()
        assert again["completed"]
        statuses = [one["status"] for one in again["executions"]]
        assert statuses == ["completed", "completed", "rolled_back", "completed"]
        assert again["restored"]
        _check_rollback(again["rollback"], again["executions"][2])
    finally:
        down = hv("down")
    assert down.code == 0
    assert hv("status").code == 1


def _check_stored(hv: Hv, printed: str) -> None:
    executions = hv("executions", "--json").json()
    found = {one["template_id"].partition("rollback.")[0] for one in executions}
    assert found == {*FIRST, "config_rollout", "config_host", ""}
    for one in executions:
        if one["template_id"] not in FIRST:
            continue
        assert one["id"] in printed
        view = hv("show", one["id"], "--json").json()
        steps = {step["id"]: step for step in view["steps"]}
        for step in steps.values():
            assert step["id"] in printed
            assert step["agent"] in {"web-1", "db-1", "ops-1"} or step["status"] == "skipped"
        if one["template_id"] == "fleet_report":
            _check_report(view["outputs"], steps)
        else:
            _check_incident(hv, view["outputs"], steps)


def _check_report(outputs: dict[str, object], steps: dict[str, dict[str, object]]) -> None:
    assert steps["warm_cache"]["attempt"] == 2
    assert steps["warn_about_disk"]["status"] == "skipped"
    report = Path(str(outputs["report"])).read_text(encoding="utf-8")
    assert "cache      warm after 2 attempts" in report
    assert {steps[one]["agent"] for one in ("measure_web", "measure_db", "report_folder")} == {
        "web-1",
        "db-1",
        "ops-1",
    }


def _check_incident(
    hv: Hv, outputs: dict[str, object], steps: dict[str, dict[str, object]]
) -> None:
    assert outputs["resolved_by"] == "diagnostician"
    assert outputs["acknowledged_by"] == ["db-1", "ops-1", "web-1"]
    (delegation,) = hv("delegations", "--json").json()
    assert delegation["status"] == "completed"
    assert delegation["result"] == outputs["resolution"]
    assert {one["agent"] for one in delegation["result"]["agents"]} == {"web-1", "db-1", "ops-1"}
    # The step's time counts from its begin, before it waited for the answer.
    started_at_ms = steps["delegate_resolution"]["started_at_ms"]
    assert isinstance(started_at_ms, int)
    assert started_at_ms <= delegation["created_at_ms"]
    (memory,) = hv("recall", "database answers slowly", "--category", "incident", "--json").json()
    assert memory["memory"]["id"] == outputs["memory_id"]


def _check_rollback(rollback: dict[str, Any], execution: dict[str, Any]) -> None:
    """The two hosts that were touched were undone, the last one first; the third never began."""
    assert rollback["summary"]["execution_id"] == execution["id"]
    assert rollback["summary"]["status"] == "rolled_back"
    items = [(item["key"], item["agent"], item["command"]) for item in rollback["plan"]["items"]]
    assert items == [
        ("roll_out[1]/install", "ops-1", "restore"),
        ("roll_out[0]/install", "db-1", "restore"),
    ]
    steps = {step["id"]: step["status"] for step in execution["steps"]}
    assert steps["roll_out[2]"] == "skipped"
