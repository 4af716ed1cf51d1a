"""What a learning service counts."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.runtime import learning_metrics as m
from shared.runtime.meters import ErrorMeter, Labelled
from shared.runtime.metric import Metric
from shared.runtime.mining_meter import MiningMeter
from shared.runtime.writing_meter import WritingMeter


class LearningMeter:
    """What comes, what is learned from it, and how far the models are; `errors` included."""

    def __init__(
        self, registry: CollectorRegistry, errors: ErrorMeter, models: Sequence[str]
    ) -> None:
        self.errors = errors
        self.mining = MiningMeter(registry)
        self.writing = WritingMeter(registry)
        names = {"model": tuple(models)}
        self.active = _gauge(m.ACTIVE, registry)
        self.forgotten = _counter(m.FORGOTTEN, registry)
        self.expired = _counter(m.EXPIRED, registry)
        self.runs = _counter(m.RUNS, registry)
        self.busy = _counter(m.BUSY, registry)
        self._kept = Labelled(_counter(m.KEPT, registry), m.KEPT.labels, {})
        self._rebuilt = Labelled(_counter(m.REBUILT, registry), m.REBUILT.labels, {})
        self.learned = Labelled(_counter(m.LEARNED, registry), m.LEARNED.labels, names)
        self.skipped = Labelled(_counter(m.SKIPPED, registry), m.SKIPPED.labels, names)
        self._base = Labelled(_gauge(m.BASE_AT, registry), m.BASE_AT.labels, names)
        self._missing = Labelled(_gauge(m.MISSING, registry), m.MISSING.labels, names)
        self._rebuilding = Labelled(_gauge(m.REBUILDING, registry), m.REBUILDING.labels, names)
        self._behind = Labelled(_gauge(m.BEHIND_ITEMS, registry), m.BEHIND_ITEMS.labels, names)
        self._since = Labelled(_gauge(m.BEHIND_TIME, registry), m.BEHIND_TIME.labels, names)
        self._saved = Labelled(_gauge(m.SNAPSHOT_AT, registry), m.SNAPSHOT_AT.labels, names)
        self._size = Labelled(_gauge(m.SNAPSHOT_BYTES, registry), m.SNAPSHOT_BYTES.labels, names)

    def kept(self, new: int, known: int) -> None:
        """Count items that came: those that are kept now, and those that were kept before."""
        self._kept("new").inc(new)
        self._kept("known").inc(known)

    def rebuilt(self, reason: str) -> None:
        """Count a rebuild; `reason` is one of `learning_metrics.REBUILDS`."""
        self._rebuilt(reason).inc()

    def behind(self, model: str, items: int, seconds: float) -> None:
        """A model lacks so many items, and has for so long."""
        self._behind(model).set(items)
        self._since(model).set(seconds)

    def stands(self, model: str, missing: int, rebuilding_s: float) -> None:
        """A model lacks so many items that went by age, and has been rebuilt for so long."""
        self._missing(model).set(missing)
        self._rebuilding(model).set(rebuilding_s)

    def base(self, model: str, at_ms: int) -> None:
        """The newest base of a model is of that time; 0: there is none."""
        self._base(model).set(at_ms / 1000)

    def saved(self, model: str, at_ms: int, size: int) -> None:
        """The newest snapshot of a model is of that time, and has so many bytes."""
        self._saved(model).set(at_ms / 1000)
        self._size(model).set(size)


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, _names(metric), registry=registry)


def _gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.help, _names(metric), registry=registry)


def _names(metric: Metric) -> tuple[str, ...]:
    return tuple(label.name for label in metric.labels)
