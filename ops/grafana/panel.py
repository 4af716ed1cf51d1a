"""A panel of the dashboard as data, and what panels' queries have in common."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Shape(StrEnum):
    """Kinds of panels that are used, by Grafana's names."""

    STAT = "stat"
    LINES = "timeseries"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the name of its lines."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `width` is of 24 columns. `warn` and `bad` colour values at or above them, or at
    or below them where `bad` is the smaller one.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    shape: Shape = Shape.LINES
    width: int = 8
    warn: float | None = None
    bad: float | None = None
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels."""

    title: str
    panels: tuple[Panel, ...]


def quantiles(metric: str, selector: str = "") -> tuple[Query, ...]:
    """Median, 95 % and 99 % of a histogram."""
    rate = f"sum by (le) (rate({metric}_bucket{selector}[$__rate_interval]))"
    return tuple(
        Query(f"histogram_quantile({q}, {rate})", name)
        for q, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
    )


EXECUTOR: Final = '{instance=~"$instance"}'
RATE: Final = "[$__rate_interval]"
