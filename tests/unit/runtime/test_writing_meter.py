"""What writers of what was learned count."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry

from shared.runtime.writing_meter import WritingMeter
from tests.unit.runtime.test_metrics import value


def test_rounds_are_counted() -> None:
    """Rows and time of rounds that wrote; that all is written is told by an empty round, too."""
    registry = CollectorRegistry()
    meter = WritingMeter(registry)
    tables, before = meter.of("tables"), time.time()
    for rows in (3, 0):
        with tables.round():
            tables.wrote(rows)
    assert value(registry, "hive_learning_written_rows_total", writer="tables") == 3
    assert value(registry, "hive_learning_write_seconds_count", writer="tables") == 1
    assert value(registry, "hive_learning_written_timestamp_seconds", writer="tables") >= before
    assert value(registry, "hive_learning_written_timestamp_seconds", writer="memories") == 0


def test_failing_is_told_until_a_round_succeeds() -> None:
    """From the beginning of the first round that failed, and 0 after one that did not."""
    registry = CollectorRegistry()
    tables = WritingMeter(registry).of("tables")
    seen = []
    for _ in range(2):
        with pytest.raises(OSError, match="away"), tables.round():
            raise OSError("away")
        seen.append(value(registry, "hive_learning_write_failing_seconds", writer="tables"))
    assert 0 < seen[0] < seen[1]
    with tables.round():
        pass
    assert value(registry, "hive_learning_write_failing_seconds", writer="tables") == 0
