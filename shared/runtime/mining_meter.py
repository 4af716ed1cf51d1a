"""What a miner of workflows counts."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from shared.runtime import mining_metrics as m
from shared.runtime.meters import Labelled
from shared.runtime.metric import Metric


class MiningMeter:
    """How often it mined, what of, for how long, and what became of proposals."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._mined = _counted(m.MINED, registry)
        self._changed = _counted(m.CHANGED, registry)
        self._standing = Labelled(
            Gauge(m.STANDING.name, m.STANDING.help, ("standing",), registry=registry),
            m.STANDING.labels,
            {},
        )
        self._commands = Gauge(m.COMMANDS.name, m.COMMANDS.help, registry=registry)
        self._took = Gauge(m.TOOK.name, m.TOOK.help, registry=registry)
        self._at = Gauge(m.MINED_AT.name, m.MINED_AT.help, registry=registry)
        self._failing = Gauge(m.FAILING.name, m.FAILING.help, registry=registry)

    def mined(self, commands: int, took_s: float, at_ms: int) -> None:
        """So many commands were mined until that moment."""
        self._mined("mined").inc()
        self._commands.set(commands)
        self._took.set(took_s)
        self._at.set(at_ms / 1000)

    def failed(self) -> None:
        """Mining, or seeing whether it is time, failed."""
        self._mined("failed").inc()

    def failing(self, seconds: float) -> None:
        """It has failed for so long; 0: it does not."""
        self._failing.set(seconds)

    def proposals(self, change: str, many: int) -> None:
        """So many proposals are new, or went; `change` is one of `mining_metrics.CHANGES`."""
        self._changed(change).inc(many)

    def standing(self, many: Mapping[str, int]) -> None:
        """How many proposals there are, by what was decided about them."""
        for one in m.STANDINGS:
            self._standing(one).set(many.get(one, 0))


def _counted(metric: Metric, registry: CollectorRegistry) -> Labelled[Counter]:
    names = tuple(label.name for label in metric.labels)
    return Labelled(Counter(metric.name, metric.help, names, registry=registry), metric.labels, {})
