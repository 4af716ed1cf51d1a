"""The dashboard's queries as Prometheus gets them: with Grafana's variables filled in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).resolve().parents[1] / "ops" / "grafana" / "dashboards" / "hive.json"


def load() -> dict[str, Any]:
    """Return the dashboard as it is stored."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def filled_in(interval: str = "5m") -> Iterator[tuple[str, str]]:
    """Give title and PromQL of every query, with every variable chosen as "All"."""
    for panel in load()["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"].replace("$__rate_interval", interval)
            yield panel["title"], expr.replace("$instance", ".*").replace("$command", ".*")
