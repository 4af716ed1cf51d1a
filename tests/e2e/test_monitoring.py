"""A real Prometheus over the running embedded stack: what is scraped, shown and alerted."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ops.stack import control, ports
from ops.stack.layout import Layout
from tests.dashboard_queries import filled_in
from tests.prometheus_server import Prometheus, run_prometheus

RUNS = 5
TEMPLATE = {
    "id": "two_nothings",
    "name": "Two steps that do nothing",
    "steps": [
        {"id": "first", "command": "noop"},
        {"id": "second", "command": "noop", "depends_on": ["first"]},
    ],
}

ON_APPROVAL = TEMPLATE | {"id": "on_approval", "policies": {"approval_required": True}}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The stack with two executors; a client of its gateway with the admin key."""
    monkeypatch.setenv("HIVE_GATEWAY_PORT", str(ports.pick()))
    for variable in ("HIVE_NATS_URL", "HIVE_MONGO_URL"):
        monkeypatch.delenv(variable, raising=False)
    layout = Layout(tmp_path / "hive")
    record = control.start_detached(layout, "relaxed", 2)
    try:
        headers = {"Authorization": f"Bearer {layout.admin_key.read_text().strip()}"}
        url = record.urls["gateway"]
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
            yield client
    finally:
        control.stop(layout)


@pytest.fixture
def prometheus(gateway: httpx.Client, tmp_path: Path) -> Iterator[Prometheus]:
    """Prometheus with the configuration that the stack wrote."""
    config = tmp_path / "hive" / "prometheus" / "prometheus.yml"
    with run_prometheus(config, tmp_path / "data") as running:
        running.wait_for('count(up{job="executor"} == 1) == 2 and on () (up{job="gateway"} == 1)')
        yield running


LATER = {"Age of snapshots", "Age of bases", "Time of mining"}
"""Panels with nothing to show in the first minutes."""


def work(gateway: httpx.Client) -> None:
    """Run some workflows to their end, one to where it waits for people; take a suggestion."""
    gateway.post("/api/v1/workflows/templates", json=TEMPLATE).raise_for_status()
    for _ in range(RUNS):
        answer = gateway.post(
            "/api/v1/workflows/execute?wait=30", json={"template_id": TEMPLATE["id"]}
        )
        answer.raise_for_status()
        assert answer.json()["execution"]["status"] == "completed", answer.text
    gateway.post("/api/v1/workflows/templates", json=ON_APPROVAL).raise_for_status()
    asked = {"template_id": ON_APPROVAL["id"]}
    gateway.post("/api/v1/workflows/execute", json=asked).raise_for_status()
    said = {"suggestion_id": "sgt_1", "verdict": "accepted", "suggested": TEMPLATE["id"]}
    gateway.post("/api/v1/suggestions/feedback", json=said).raise_for_status()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_dashboard_and_alerts_fit_a_running_stack(
    gateway: httpx.Client, prometheus: Prometheus
) -> None:
    """Prometheus finds every process by itself, counts what really ran, answers every panel of the
    dashboard, and no alert fires on a healthy system.
    """
    work(gateway)
    prometheus.wait_for(f'sum(hive_executions_ended_total{{status="completed"}}) == {RUNS}')
    prometheus.wait_for(f'sum(hive_steps_ended_total{{outcome="completed"}}) == {2 * RUNS}')
    prometheus.wait_for(f"sum(hive_step_queue_seconds_count) == {2 * RUNS}")
    prometheus.wait_for(f"sum(hive_execution_duration_seconds_count) == {RUNS}")
    prometheus.wait_for('sum(hive_commands_ended_total{command="noop"}) == 10')
    prometheus.wait_for("count(sum by (partition) (hive_partition_owned) == 1) == 16")
    prometheus.wait_for("max(hive_agents_live) == 2")
    prometheus.wait_for('max(hive_executions_open{status="waiting"}) == 1')
    prometheus.wait_for('max(hive_execution_oldest_seconds{status="waiting"}) > 0')
    prometheus.wait_for('max(hive_executions_open{status="running"}) == 0')
    prometheus.wait_for("max(hive_quarantine_messages) == 0")
    prometheus.wait_for("sum(hive_coordinator_flush_seconds_count) > 0")
    prometheus.wait_for("sum(hive_coordinator_commit_seconds_count) > 0")
    asked = 'hive_http_requests_total{route="/api/v1/workflows/execute"}'
    prometheus.wait_for(f"{asked} == {RUNS + 1}")
    for title, expr in filled_in():
        if title not in LATER:
            prometheus.wait_for(expr)
    rules = httpx.get(f"{prometheus.url}/api/v1/rules", trust_env=False).json()["data"]["groups"]
    evaluated = [rule for group in rules for rule in group["rules"]]
    assert {rule["health"] for rule in evaluated} <= {"ok", "unknown"}
    assert [rule["name"] for rule in evaluated if rule["state"] == "firing"] == []
