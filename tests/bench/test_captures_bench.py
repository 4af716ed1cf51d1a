"""The benchmark of captures: a short run gives every figure, from steps that really keep files."""

import pytest
from rich.console import Console

from ops.stack.spec import GATEWAY_PORT_VARIABLE
from services.cli.bench import captures_bench


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_run_measures_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps with and without captures complete, and each kind has its figures."""
    monkeypatch.setenv(GATEWAY_PORT_VARIABLE, "0")  # the benchmark takes another one
    load = captures_bench.Load(sizes={"40 KiB": 40_960}, known_bytes=1_000, rounds=3, many=10)
    figures = captures_bench.run("relaxed", load, Console(quiet=True))
    assert list(figures) == ["40 KiB", captures_bench.KNOWN, "many"]
    for name in ("40 KiB", captures_bench.KNOWN):
        assert figures[name]["plain_ms"] > 0
        assert figures[name]["captured_p95_ms"] >= figures[name]["captured_ms"] > 0
    assert all(figure > 0 for figure in figures["many"].values())
