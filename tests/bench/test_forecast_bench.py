"""The benchmark of forecasts: a short run gives every figure, and looks find their agents."""

import pytest
from rich.console import Console

from ops.stack.spec import GATEWAY_PORT_VARIABLE
from services.cli.bench import forecast_bench


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_run_measures_forecasts_and_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shape of workflow is foreseen, and a real validator asks many agents."""
    monkeypatch.setenv(GATEWAY_PORT_VARIABLE, "0")  # the benchmark takes another one
    load = forecast_bench.Load(rounds=1, runs=50, looks=3, agents=10)
    figures = forecast_bench.run(load, Console(quiet=True))["forecast"]
    for name, _ in forecast_bench.templates():
        assert figures[name]["runs"] == 50
        assert figures[name]["runs_per_s"] > 0
    assert figures["20 steps, one core run each"]["played_by_the_core"] == 50
    assert figures["20 steps"]["played_by_the_core"] < 50
    for level in ("strict", "paranoid"):
        assert figures["looks"][level]["p99_ms"] >= figures["looks"][level]["p50_ms"] > 0
