"""The table of metrics, the meters that count with it, and the page written from it."""

import math
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shared.runtime import meters, metrics, metrics_reference
from shared.runtime.learning_meter import LearningMeter
from shared.runtime.metric import OTHER, Kind, Metric
from shared.runtime.metrics import TABLE
from shared.runtime.recording_meter import RecordingMeter
from shared.runtime.suggestion_meter import SuggestionMeter
from shared.workflow.events import ExecutionCompleted, StepCompleted, StepFailed, StepStarted
from shared.workflow.messages import Failure
from shared.workflow.state import ExecutionState, StepState

REPO_ROOT = Path(__file__).resolve().parents[3]
UNITS = ("_seconds", "_bytes", "_messages", "_total", "_info", "_live", "_open", "_owned")
COUNTED_THINGS = {
    "hive_archive_executions",
    "hive_effects_pending",
    "hive_learning_active_services",
    "hive_learning_behind_items",
    "hive_model_missing_items",
    "hive_mining_commands",
    "hive_proposals",
    "hive_suggestion_templates",
    "hive_runner_slots",
    "hive_runner_running",
}


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    found = registry.get_sample_value(name, labels)
    assert found is not None, f"no series {name} {labels}"
    return found


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_every_metric_keeps_the_law(metric: Metric) -> None:
    """A name has the prefix and a unit, a counter ends with _total, only histograms have buckets,
    and each label says what bounds it.
    """
    assert re.fullmatch(r"hive_[a-z0-9_]+", metric.name)
    assert metric.name.endswith(UNITS) or metric.name in COUNTED_THINGS
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help.endswith(".")
    assert all(label.values or label.open_set for label in metric.labels)


def test_every_metric_is_shown_by_some_meter() -> None:
    """What the table promises exists once every meter is made, with kind and help as promised."""
    registry = meters.new_registry("test", "1.2.3")
    errors = meters.ErrorMeter(registry)
    meters.CoordinatorMeter(registry, errors)
    meters.BacklogMeter(registry)
    meters.HousekeepingMeter(registry, errors)
    meters.RunnerMeter(registry, errors, ["noop"], slots=4)
    meters.GatewayMeter(registry, ["/x"])
    meters.RollbackMeter(registry, errors)
    meters.ValidatorMeter(registry, errors)
    LearningMeter(registry, errors, ["m"])
    SuggestionMeter(registry, errors)
    RecordingMeter(registry)
    shown = {family.name: family for family in registry.collect()}
    for metric in TABLE:
        family = shown[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind.value, metric.help)


def test_two_services_in_one_process_do_not_mix() -> None:
    """Each registry counts alone: nothing is registered globally."""
    one, two = (CollectorRegistry() for _ in range(2))
    meters.ErrorMeter(one).count("nats")
    meters.ErrorMeter(two)
    assert value(one, "hive_errors_total", kind="nats") == 1
    assert value(two, "hive_errors_total", kind="nats") == 0


def test_events_are_counted_by_what_they_mean() -> None:
    """Starts, ends, steps' ends and what happens at gates count; other events change nothing."""
    registry = CollectorRegistry()
    meter = meters.CoordinatorMeter(registry, meters.ErrorMeter(registry))
    for event_type in ("execution.created", "step.completed", "step.lost", "timer.set"):
        meter.event(event_type)
    meter.event("execution.completed_with_errors")
    for event_type in ("approval.granted", "approval.voted"):
        meter.event(event_type)
    assert value(registry, "hive_approvals_total", event="granted") == 1
    assert value(registry, "hive_approvals_total", event="expired") == 0
    assert value(registry, "hive_executions_started_total") == 1
    assert value(registry, "hive_steps_ended_total", outcome="completed") == 1
    assert value(registry, "hive_steps_ended_total", outcome="lost") == 1
    assert value(registry, "hive_steps_ended_total", outcome="failed") == 0
    ended = "hive_executions_ended_total"
    assert value(registry, ended, status="completed_with_errors") == 1


def test_decision_is_timed_by_its_own_times() -> None:
    """Waiting is journal time, work the agent's clock, an execution from creation to end; a step
    that never ran has no duration.
    """
    registry = CollectorRegistry()
    meter = meters.CoordinatorMeter(registry, meters.ErrorMeter(registry))
    before = ExecutionState(
        execution_id="ex_1",
        template_id="t",
        template_version="1.0.0",
        category="custom",
        steps={"a": StepState(scheduled_at_ms=1_000)},
        created_at_ms=500,
    )
    started = StepStarted(step="a", attempt=1, leg=0, agent="x", host="h")
    ended = StepCompleted(step="a", attempt=1, started_at_ms=7_000, finished_at_ms=7_400, output={})
    never_ran = StepFailed(step="b", attempt=1, failure=Failure(code="c", message="m"))
    meter.decided(None, before, [], 900)
    meter.decided(before, before, [started], 1_250)
    meter.decided(before, before, [ended, never_ran, ExecutionCompleted(outputs={})], 2_500)
    assert value(registry, "hive_step_queue_seconds_sum") == 0.25
    assert value(registry, "hive_step_duration_seconds_sum") == 0.4
    assert value(registry, "hive_step_duration_seconds_count") == 1
    assert value(registry, "hive_execution_duration_seconds_sum") == 2.0
    assert value(registry, "hive_executions_ended_total", status="completed") == 1


def test_partition_given_up_has_no_lag_left() -> None:
    """What another coordinator owns is not reported as behind here."""
    registry = CollectorRegistry()
    meter = meters.CoordinatorMeter(registry, meters.ErrorMeter(registry))
    meter.hold({0, 5})
    meter.lag(5, 40)
    assert value(registry, "hive_partition_owned", partition="5") == 1
    assert value(registry, "hive_journal_lag_messages", partition="5") == 40
    meter.hold({0})
    assert value(registry, "hive_partition_owned", partition="5") == 0
    assert value(registry, "hive_journal_lag_messages", partition="5") == 0
    assert value(registry, "hive_partition_owned", partition="0") == 1


def test_samples_of_streams_and_queues_are_shown() -> None:
    """Sizes are set as they were sampled."""
    registry = CollectorRegistry()
    meter = meters.CoordinatorMeter(registry, meters.ErrorMeter(registry))
    meter.stream("JOURNAL_0", 12, 3_400)
    meter.queue("cap", 7)
    assert value(registry, "hive_stream_messages", stream="JOURNAL_0") == 12
    assert value(registry, "hive_stream_bytes", stream="JOURNAL_0") == 3_400
    assert value(registry, "hive_task_queue_messages", pool="cap") == 7


def test_backlog_is_shown_or_unknown() -> None:
    """What is open is set as it was sampled; what is not known is no number, old or zero."""
    registry = CollectorRegistry()
    meter = meters.BacklogMeter(registry)
    meter.open("waiting", 3, 86_400.5)
    meter.quarantined.set(2)
    meter.rollback_waits.set(7)
    assert value(registry, "hive_executions_open", status="waiting") == 3
    assert value(registry, "hive_execution_oldest_seconds", status="waiting") == 86_400.5
    assert value(registry, "hive_quarantine_messages") == 2
    assert value(registry, "hive_rollback_waits_seconds") == 7
    meter.unknown()
    for name in ("hive_executions_open", "hive_execution_oldest_seconds"):
        assert math.isnan(value(registry, name, status="waiting"))
    assert math.isnan(value(registry, "hive_quarantine_messages"))
    assert math.isnan(value(registry, "hive_rollback_waits_seconds"))


def test_first_failure_is_seen_as_one() -> None:
    """Every command and outcome is there before it happens: a rate sees the first failure too."""
    registry = CollectorRegistry()
    meters.RunnerMeter(registry, meters.ErrorMeter(registry), ["shell", "http"], slots=1)
    labels = {"command": "http", "outcome": "timed_out"}
    assert value(registry, "hive_commands_ended_total", **labels) == 0


def test_unknown_values_count_as_other() -> None:
    """No name from outside becomes a series of its own."""
    registry = CollectorRegistry()
    runner = meters.RunnerMeter(registry, meters.ErrorMeter(registry), ["shell"], slots=2)
    runner.ended("shell", "succeeded", 0.5)
    for number in range(50):
        runner.ended(f"made-up-{number}", "exploded", 0.1)
    ended = "hive_commands_ended_total"
    assert value(registry, ended, command="shell", outcome="succeeded") == 1
    assert value(registry, ended, command=OTHER, outcome=OTHER) == 50
    assert value(registry, "hive_command_duration_seconds_count", command=OTHER) == 50
    families = [family for family in registry.collect() if family.name == "hive_commands_ended"]
    counts = [s for s in families[0].samples if s.name.endswith("_total")]
    assert len(counts) == len(metrics.COMMAND_OUTCOMES) + 1


def test_series_have_an_upper_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even allowed values stop making series at the bound."""
    monkeypatch.setattr(meters, "MAX_CHILDREN", 3)
    registry = CollectorRegistry()
    gateway = meters.GatewayMeter(registry, [f"/{n}" for n in range(10)])
    for number in range(10):
        gateway.request(f"/{number}", "GET", 200, 0.01)
    kept = {"route": OTHER, "method": OTHER, "status": OTHER}
    assert value(registry, "hive_http_requests_total", **kept) == 7


def test_requests_are_counted_by_template_and_class() -> None:
    """A path that matched no route, an invented method and a strange status are all bounded."""
    registry = CollectorRegistry()
    gateway = meters.GatewayMeter(registry, ["/executions/{id}"])
    gateway.request("/executions/{id}", "GET", 404, 0.02)
    gateway.request(None, "BREW", 799, 0.01)
    total = "hive_http_requests_total"
    assert value(registry, total, route="/executions/{id}", method="GET", status="4xx") == 1
    assert value(registry, total, route=OTHER, method=OTHER, status=OTHER) == 1


def test_timed_observes_failures_too() -> None:
    """A block that raises is observed like any other."""
    registry = CollectorRegistry()
    meter = meters.CoordinatorMeter(registry, meters.ErrorMeter(registry))
    with pytest.raises(ValueError, match="no"), meters.timed(meter.flush):
        raise ValueError("no")
    assert value(registry, "hive_coordinator_flush_seconds_count") == 1


def test_reference_page_is_current() -> None:
    """docs/reference/metrics.md is what the table says; `./hv proto` writes it."""
    for path, text in metrics_reference.files().items():
        assert (REPO_ROOT / path).read_text(encoding="utf-8") == text
