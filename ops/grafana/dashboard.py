"""Write the Grafana dashboards from the tables of panels."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from ops.grafana.analytics_panels import ANALYTICS
from ops.grafana.panel import Panel, Query, Row, Shape
from ops.grafana.panels import ROWS

FOLDER: Final = PurePosixPath("ops/grafana/dashboards")

_SOURCE: Final = {"type": "prometheus", "uid": "$datasource"}
_COLUMNS: Final = 24
_HEIGHTS: Final = {Shape.STAT: 4, Shape.LINES: 8, Shape.TABLE: 8}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard. `chosen` are its variables: name, label, and the metric whose label of that name
    gives the values. `range` is what it shows at first."""

    name: str
    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    chosen: tuple[tuple[str, str, str], ...] = ()
    range: str = "now-1h"


DASHBOARDS: Final = (
    Dashboard(
        "hive",
        "hive-overview",
        "hAIveMind Workflows",
        "Executions, engine, agents, gateway. Written from ops/grafana/panels.py.",
        ROWS,
        (
            ("instance", "Executor", "hive_partition_owned"),
            ("command", "Command", "hive_command_duration_seconds_count"),
        ),
    ),
    Dashboard(
        "analytics",
        "hive-analytics",
        "hAIveMind Workflows: analytics",
        "How workflows do: runs, steps, agents, rollbacks, suggestions, time saved. "
        "By template, step and agent `hv analytics` tells more. Written from "
        "ops/grafana/analytics_panels.py.",
        ANALYTICS,
        (("command", "Command", "hive_command_duration_seconds_count"),),
        "now-7d",
    ),
)


def files() -> dict[PurePosixPath, str]:
    """The dashboards by their paths in the repository."""
    return {
        FOLDER / f"{one.name}.json": json.dumps(render(one), indent=2) + "\n" for one in DASHBOARDS
    }


def render(board: Dashboard) -> Json:
    """A dashboard in Grafana's JSON model, without an id, so that it can be imported anywhere."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": ["hive"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": board.range, "to": "now"},
        "templating": {"list": list(_variables(board))},
        "annotations": {"list": [_alerts()]},
        "panels": list(_panels(board)),
    }


def _variables(board: Dashboard) -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "refresh": 1,
    }
    for name, label, metric in board.chosen:
        query = f"label_values({metric}, {name})"
        yield {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": _SOURCE,
            "definition": query,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


def _alerts() -> Json:
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "expr": 'ALERTS{alertstate="firing", alertname=~"Hive.*"}',
        "iconColor": "red",
        "titleFormat": "{{alertname}}",
        "step": "30s",
    }


def _panels(board: Dashboard) -> Iterator[Json]:
    """Lay the rows out from left to right and top to bottom."""
    y, number = 0, 1
    for row in board.rows:
        yield _row(row, number, y)
        y, number = y + 1, number + 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y, height = 0, y + height, 0
            place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHTS[panel.shape]}
            yield _panel(panel, number, place)
            x, height, number = x + panel.width, max(height, place["h"]), number + 1
        y += height


def _row(row: Row, number: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
    return {
        "id": number,
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "gridPos": place,
        "panels": [],
    }


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.shape.value,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [_target(panel, query, index) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **_transformations(panel),
    }


def _target(panel: Panel, query: Query, index: int) -> Json:
    at_once = panel.shape is Shape.TABLE
    return {
        "refId": chr(ord("A") + index),
        "datasource": _SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": at_once,
        "range": not at_once,
        "format": "table" if at_once else "time_series",
    }


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0, "thresholds": _thresholds(panel)}
    if panel.shape is Shape.LINES:
        defaults["color"] = {"mode": "palette-classic"}
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 20 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "off" if panel.bad is None else "dashed"},
        }
    else:
        defaults["color"] = {"mode": "thresholds"}
        defaults["noValue"] = "none"
    return defaults


def _thresholds(panel: Panel) -> Json:
    warn, bad = panel.warn, panel.bad
    if warn is None or bad is None:
        colours: list[tuple[float | None, str]] = [(None, "green")]
    elif warn < bad:
        colours = [(None, "green"), (warn, "orange"), (bad, "red")]
    else:  # small is bad: red up to `bad`, orange up to `warn`
        colours = [(None, "red"), (bad + 1, "orange"), (warn + 1, "green")]
    steps = [{"value": value, "color": colour} for value, colour in colours]
    return {"mode": "absolute", "steps": steps}


def _options(panel: Panel) -> Json:
    if panel.shape is Shape.STAT:
        return {
            "colorMode": "value",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    if panel.shape is Shape.TABLE:
        return {"showHeader": True, "cellHeight": "sm"}
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _transformations(panel: Panel) -> Json:
    if panel.shape is not Shape.TABLE:
        return {}
    hidden = {"excludeByName": {"Time": True}}
    return {"transformations": [{"id": "organize", "options": hidden}]}
