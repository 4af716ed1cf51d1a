"""Recording is counted by what became of it, and never by who or what."""

from __future__ import annotations

from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from services.gateway.routes import commands
from shared.contracts import suggestions
from shared.runtime import recording_metrics
from shared.runtime.metric import OTHER
from shared.runtime.recording_meter import RecordingMeter
from tests.unit.runtime.test_metrics import value

REFUSED = "hive_recording_refused_total"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "forbidden"), (422, "invalid"), (429, "rate"), (503, "unavailable"), (418, OTHER)],
)
def test_refused_requests_are_counted_by_why(status: int, reason: str) -> None:
    """By the status of the answer; other paths, other methods and what was taken do not count."""
    registry = CollectorRegistry()
    meter = RecordingMeter(registry)
    meter.answered("POST", recording_metrics.PATH, status)
    meter.answered("POST", recording_metrics.PATH, 200)
    meter.answered("GET", recording_metrics.PATH, status)
    meter.answered("POST", "/api/v1/keys", status)
    assert value(registry, REFUSED, reason=reason) == 1
    (family,) = [one for one in registry.collect() if one.name == "hive_recording_refused"]
    assert sum(one.value for one in family.samples if one.name == REFUSED) == 1


def test_names_are_those_of_the_doors() -> None:
    """The path and the verdicts are those of the API."""
    assert commands.router.prefix == recording_metrics.PATH
    assert get_args(suggestions.Verdict) == recording_metrics.VERDICTS
    assert get_args(suggestions.Kind) == recording_metrics.SUGGESTED
