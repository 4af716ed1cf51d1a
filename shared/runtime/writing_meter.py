"""What counts writers of what was learned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.runtime import writing_metrics as m
from shared.runtime.meters import Labelled
from shared.runtime.metric import Metric


class WritingMeter:
    """The writers of a learning service, by name, and the time that runs saved."""

    def __init__(self, registry: CollectorRegistry) -> None:
        took = Histogram(
            m.TOOK.name, m.TOOK.help, ["writer"], registry=registry, buckets=m.TOOK.buckets
        )
        self._rows = Labelled(
            Counter(m.ROWS.name, m.ROWS.help, ["writer"], registry=registry), m.ROWS.labels, {}
        )
        self._took = Labelled(took, m.TOOK.labels, {})
        self._at = _gauge(m.WRITTEN_AT, registry)
        self._failing = _gauge(m.FAILING, registry)
        self._saved = _gauge(m.SAVED, registry)

    def of(self, writer: str) -> OneWriter:
        """What one of `writing_metrics.WRITERS` counts with."""
        return OneWriter(
            self._rows(writer), self._took(writer), self._at(writer), self._failing(writer)
        )

    def saved(self, least_ms: int, most_ms: int) -> None:
        """The completed runs of the last 30 days saved between so much and so much."""
        self._saved("least").set(least_ms / 1000)
        self._saved("most").set(most_ms / 1000)


class OneWriter:
    """Rounds of one writer."""

    def __init__(self, rows: Counter, took: Histogram, at: Gauge, failing: Gauge) -> None:
        self._rows = rows
        self._took = took
        self._at = at
        self._failing = failing
        self._began_s = 0.0
        self._failing_since_s: float | None = None

    @contextmanager
    def round(self) -> Iterator[None]:
        """Around a round: what it raises is counted, and raised."""
        self._began_s = time.monotonic()
        try:
            yield
        except Exception:
            if self._failing_since_s is None:
                self._failing_since_s = self._began_s
            self._failing.set(time.monotonic() - self._failing_since_s)
            raise
        self._failing_since_s = None
        self._failing.set(0)

    def wrote(self, rows: int) -> None:
        """All is written now: so many rows in this round, which may be none."""
        self._at.set_to_current_time()
        if rows:
            self._rows.inc(rows)
            self._took.observe(time.monotonic() - self._began_s)


def unseen(writer: str) -> OneWriter:
    """One that nobody looks at."""
    return WritingMeter(CollectorRegistry()).of(writer)


def _gauge(metric: Metric, registry: CollectorRegistry) -> Labelled[Gauge]:
    names = tuple(label.name for label in metric.labels)
    return Labelled(Gauge(metric.name, metric.help, names, registry=registry), metric.labels, {})
