"""The dashboards' queries as Prometheus gets them: with Grafana's variables filled in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "ops" / "grafana" / "dashboards"
DASHBOARDS = sorted(FOLDER.glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    """Return a dashboard as it is stored."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def filled_in(interval: str = "5m") -> Iterator[tuple[str, str]]:
    """Give title and PromQL of every query, with every variable chosen as "All"."""
    for panel in (one for path in DASHBOARDS for one in load(path)["panels"]):
        for target in panel.get("targets", []):
            expr = (
                target["expr"].replace("$__rate_interval", interval).replace("$__range", interval)
            )
            yield panel["title"], expr.replace("$instance", ".*").replace("$command", ".*")
