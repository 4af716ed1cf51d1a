"""What a metric is: one row of the table in `shared.runtime.metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OTHER: Final = "other"
"""What a label says for a value outside its set."""


class Kind(StrEnum):
    """The kinds of Prometheus metrics that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Role(StrEnum):
    """Which process shows a metric."""

    EVERY = "every service"
    COORDINATOR = "executor (coordinator)"
    RUNNER = "executor (runner)"
    GATEWAY = "gateway"
    VALIDATOR = "validator"
    ROLLBACK = "rollback"
    LEARNING = "learning"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Label:
    """A label and its values; without `values` they are given when the service starts (`open_set`
    says what they are).
    """

    name: str
    values: tuple[str, ...] = ()
    open_set: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table. `buckets` are the upper bounds of a histogram, in the metric's unit."""

    name: str
    kind: Kind
    role: Role
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()


def series_names(metric: Metric) -> tuple[str, ...]:
    """The names under which Prometheus keeps a metric: three for a histogram."""
    if metric.kind is Kind.HISTOGRAM:
        return tuple(f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))
    return (metric.name,)
