"""The Grafana dashboards: their queries parse, ask for what exists, find it on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, start_http_server

from ops.grafana import dashboard
from shared.runtime import meters
from shared.runtime.learning_meter import LearningMeter
from shared.runtime.metric import series_names
from shared.runtime.metrics import (
    APPROVAL_EVENTS,
    EXECUTION_ENDS,
    ROLLBACK_ENDS,
    STEP_OUTCOMES,
    TABLE,
)
from shared.runtime.recording_meter import RecordingMeter
from shared.runtime.suggestion_meter import SuggestionMeter
from tests.dashboard_queries import DASHBOARDS, FOLDER, filled_in, load
from tests.prometheus_server import Prometheus, run_prometheus
from tests.promql import metric_names
from tests.promtool import promtool

QUERIES = list(filled_in())
PROCESS_METRICS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def test_dashboard_is_current() -> None:
    """The stored JSON is what the tables of panels say; `./hv proto` writes it."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in DASHBOARDS}
    assert stored == {path.name: text for path, text in dashboard.files().items()}


def test_every_query_parses(tmp_path: Path) -> None:
    """Each panel's PromQL is accepted by promtool, as the expression of a rule."""
    rules = [{"record": f"panel:{n}:query", "expr": expr} for n, (_, expr) in enumerate(QUERIES)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


@pytest.mark.parametrize(("title", "expr"), QUERIES)
def test_queries_ask_for_metrics_that_exist(title: str, expr: str) -> None:
    """Every metric in a panel is in the table of metrics, or one of the process's."""
    known = {name for metric in TABLE for name in series_names(metric)} | PROCESS_METRICS
    assert metric_names(expr)
    assert metric_names(expr) <= known


def test_every_metric_is_on_the_dashboard() -> None:
    """No metric is collected for nobody: each is on a panel or behind an alert."""
    shown = {name for _, expr in QUERIES for name in metric_names(expr)}
    rules = (FOLDER.parents[1] / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    unseen = [
        metric.name
        for metric in TABLE
        if not shown & set(series_names(metric)) and metric.name not in rules
    ]
    assert unseen == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path: Path) -> None:
    """Every panel has its own place on the grid of 24 columns, its own id, and says what it is."""
    taken: set[tuple[int, int]] = set()
    panels = load(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        taken |= cells
        assert panel["type"] == "row" or panel["description"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_provisioning_fits_the_dashboard(path: Path) -> None:
    """The provisioned data source is of the kind that the dashboard chooses from."""
    folder = FOLDER.parent / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())
    providers = yaml.safe_load((folder / "dashboards" / "hive.yml").read_text())
    (variable,) = [v for v in load(path)["templating"]["list"] if v["type"] == "datasource"]
    assert [source["type"] for source in sources["datasources"]] == [variable["query"]]
    compose = (FOLDER.parents[2] / "docker-compose.yml").read_text(encoding="utf-8")
    assert providers["providers"][0]["options"]["path"] in compose


class BusySystem:
    """Counts as a busy system does, so that no rate is zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.errors = meters.ErrorMeter(registry)
        self.coordinator = meters.CoordinatorMeter(registry, self.errors)
        self.backlog = meters.BacklogMeter(registry)
        self.housekeeping = meters.HousekeepingMeter(registry, self.errors)
        self.runner = meters.RunnerMeter(registry, self.errors, ["shell", "http"], slots=8)
        self.gateway = meters.GatewayMeter(registry, ["/api/v1/agents"])
        self.validator = meters.ValidatorMeter(registry, self.errors)
        self.rollback = meters.RollbackMeter(registry, self.errors)
        self.learning = LearningMeter(registry, self.errors, ["next-command"])
        self.suggestions = SuggestionMeter(registry, self.errors)
        self.recording = RecordingMeter(registry)
        self.coordinator.hold(range(16))
        self.coordinator.agents_live.set(3)
        self.coordinator.stream("JOURNAL_0", 10, 2_000)
        self.coordinator.queue("any", 4)
        self.backlog.open("running", 2, 30.0)

    def work(self) -> None:
        for event in ("created", *EXECUTION_ENDS, *ROLLBACK_ENDS):
            self.coordinator.event(f"execution.{event}")
        for event in APPROVAL_EVENTS:
            self.coordinator.event(f"approval.{event}")
        for outcome in STEP_OUTCOMES:
            self.coordinator.event(f"step.{outcome}")
        timings = ("step_duration", "step_queue", "execution_duration", "turn", "commit", "flush")
        for name in timings:
            getattr(self.coordinator, name).observe(0.02)
        self.coordinator.batch.observe(20)
        for outcome in ("succeeded", "failed"):
            self.runner.ended("shell", outcome, 0.3)
        self.housekeeping.captures("contents", 80, 100)
        self.housekeeping.captures("manifests", 8, 100)
        self.runner.captures.count("kept")
        self.runner.captures.bytes.inc(100)
        self.runner.captures.duration.observe(0.002)
        for status in (200, 500):
            self.gateway.request("/api/v1/agents", "GET", status, 0.01)
        self.gateway.delivery("delivered")
        self.validator.looked("strict", 0.1)
        self.validator.found("warning")
        self.rollback.planned(made=True, left=0)
        self.rollback.accounted(2, 1)
        self.suggestions.offered("steps")
        self.suggestions.templates.set(6)
        self.learning.kept(5, 1)
        self.recording.accepted(5, 1)
        self.recording.left_out(1)
        self.recording.answered("POST", "/api/v1/commands", 429)
        self.recording.feedback("workflow", "accepted")
        self.learning.learned("next-command").inc(5)
        self.learning.saved("next-command", 1_750_000_000_000, 1_000)
        with self.learning.writing.of("tables").round():
            self.learning.writing.of("tables").wrote(3)
        self.learning.writing.saved(60_000, 90_000)
        self.learning.base("next-command", 1_750_000_000_000)
        self.learning.stands("next-command", 0, 0.0)
        self.learning.mining.mined(3_000, 2.0, 1_750_000_000_000)
        self.learning.mining.failed()
        self.learning.mining.proposals("found", 1)
        self.learning.mining.standing({"open": 1})
        self.errors.count("nats")


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[tuple[Prometheus, BusySystem]]:
    """A Prometheus that scrapes one busy process ten times a second."""
    registry = meters.new_registry("executor", "1.0.0")
    system = BusySystem(registry)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    target = {"targets": [f"127.0.0.1:{server.server_port}"]}
    scrape = {"job_name": "executor", "scrape_interval": "100ms", "static_configs": [target]}
    config = tmp_path / "prometheus.yml"
    timeout = {"scrape_interval": "100ms", "scrape_timeout": "100ms"}
    config.write_text(yaml.safe_dump({"global": timeout, "scrape_configs": [scrape]}))
    with run_prometheus(config, tmp_path / "data") as prometheus:
        yield prometheus, system
    server.shutdown()
    thread.join()


@pytest.mark.slow
def test_every_panel_finds_something(scraped: tuple[Prometheus, BusySystem]) -> None:
    """On a real server that scrapes real metrics, no panel's query is refused or stays empty."""
    prometheus, system = scraped
    prometheus.wait_for("hive_build_info")
    for steps in (1, 2, 3):
        system.work()
        prometheus.wait_for(f"hive_executions_started_total == {steps}")
    for _title, expr in filled_in("1m"):
        prometheus.wait_for(expr)
