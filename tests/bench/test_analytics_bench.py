"""The benchmark of analytics: a short run gives every figure, from answers of a real gateway."""

import pytest
from rich.console import Console

from ops.stack.spec import GATEWAY_PORT_VARIABLE
from services.cli.bench import analytics_bench


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_run_asks_every_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are stored and counted, and each kind of question is answered."""
    monkeypatch.setenv(GATEWAY_PORT_VARIABLE, "0")  # the benchmark takes another one
    load = analytics_bench.Load(stored=300, questions=3, rounds=1)
    figures = analytics_bench.run(load, Console(quiet=True))
    assert figures["counting"]["items"] == 300
    assert figures["counting"]["tables"] > 100
    for name in analytics_bench.questions():
        assert figures["asking"][name]["p99_ms"] >= figures["asking"][name]["p50_ms"] > 0
