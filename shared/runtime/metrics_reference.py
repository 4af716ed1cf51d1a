"""The reference page of all metrics, written from their table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import PurePosixPath
from typing import Final

from shared.runtime.metric import Label, Metric, Role
from shared.runtime.metrics import TABLE

PAGE: Final = PurePosixPath("docs/reference/metrics.md")

_HEAD: Final = """\
# Metrics

Written by `./hv proto` from `shared/runtime/metrics.py`; change it there.

Every service serves `/metrics` in the Prometheus format, together with the metrics of its process
(`process_*`, `python_*`). Label values come from bounded sets; a value outside its set counts as
`other`. How to collect and show them: [monitoring](../how-to/monitoring.md).
"""


def files() -> dict[PurePosixPath, str]:
    """The page by its path in the repository."""
    return {PAGE: render(TABLE)}


def render(table: Iterable[Metric]) -> str:
    """The page as Markdown: one section a role, in the order of `Role`."""
    order = list(Role)
    rows = sorted(table, key=lambda metric: order.index(metric.role))
    sections = [_section(role, group) for role, group in groupby(rows, key=lambda row: row.role)]
    return "\n".join([_HEAD, *sections])


def _section(role: Role, group: Iterable[Metric]) -> str:
    return f"## {role.value.capitalize()}\n\n" + "\n".join(_entry(metric) for metric in group)


def _entry(metric: Metric) -> str:
    lines = [f"### `{metric.name}`", "", f"{metric.kind.value.capitalize()}. {metric.help}", ""]
    lines += [f"- `{label.name}`: {_values(label)}" for label in metric.labels]
    if metric.buckets:
        lines.append(f"- buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}")
    return "\n".join(lines).rstrip() + "\n"


def _values(label: Label) -> str:
    if not label.values:
        return label.open_set
    if label.values == tuple(str(n) for n in range(len(label.values))):
        return f"`0` to `{label.values[-1]}`"
    return ", ".join(f"`{value}`" for value in label.values)
