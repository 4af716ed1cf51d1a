"""Prometheus's configuration, alert rules and their unit tests, judged by promtool itself."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.prometheus import embedded
from shared.runtime.metric import series_names
from shared.runtime.metrics import TABLE
from tests.promql import metric_names
from tests.promtool import promtool

FOLDER = Path(__file__).resolve().parents[2] / "ops" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]


def test_configuration_and_rules_are_valid() -> None:
    """promtool accepts the configuration and every rule, with no lint."""
    promtool("check", "config", FOLDER / "prometheus.yml")
    promtool("check", "rules", "--lint", "all", "--lint-fatal", FOLDER / "alerts.yml")


def test_rules_fire_and_stay_quiet_when_they_should() -> None:
    """The rules' unit tests pass."""
    assert "SUCCESS" in promtool("test", "rules", FOLDER / "alerts_test.yml")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_case_for_both_answers(rule: dict[str, Any]) -> None:
    """Each alert is tested to fire and to stay quiet, and tells people what to do."""
    cases = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    answers = {
        bool(case.get("exp_alerts"))
        for test in cases
        for case in test["alert_rule_test"]
        if case["alertname"] == rule["alert"]
    }
    assert answers == {True, False}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_ask_for_metrics_that_exist(rule: dict[str, Any]) -> None:
    """Every metric in a rule is in the table of metrics."""
    known = {name for metric in TABLE for name in series_names(metric)} | {"up"}
    assert metric_names(rule["expr"]) <= known
    assert metric_names(rule["expr"])


def test_embedded_stack_gets_its_own_configuration(tmp_path: Path) -> None:
    """The stack's ports become targets of the same jobs, and promtool accepts the result."""
    ports = {"gateway": 8902, "executor-1": 4001, "executor-2": 4002}
    config = embedded.write(tmp_path, ports)
    promtool("check", "config", config)
    assert embedded.targets("executor", ports) == [
        {"targets": ["127.0.0.1:4001"], "labels": {"service": "executor-1"}},
        {"targets": ["127.0.0.1:4002"], "labels": {"service": "executor-2"}},
    ]
    assert config.stat().st_mode & 0o777 == 0o600


def test_every_alert_is_in_the_guide() -> None:
    """docs/how-to/monitoring.md lists each alert, and none that does not exist."""
    guide = FOLDER.parents[1] / "docs" / "how-to" / "monitoring.md"
    listed = set(re.findall(r"`(Hive[A-Za-z]+)`", guide.read_text(encoding="utf-8")))
    assert listed == {rule["alert"] for rule in RULES}
