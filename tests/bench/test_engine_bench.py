"""The benchmark itself: a short run gives every figure that is asked for, from real work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ops.stack.layout import REPO_ROOT
from services.cli.bench.measure import percentile

FIGURES = {
    "sequential.steps_per_s",
    "sequential.workflows_per_s",
    "sequential.cpu_s_per_1k_steps",
    "sequential.peak_pss_mib",
    "claimed.steps_per_s",
    "claimed.cpu_s_per_1k_steps",
    "latency_ms.p50",
    "latency_ms.p95",
    "latency_ms.p99",
    "fanout.seconds",
    "takeover_s",
    "cold_start_s",
}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_run_measures_everything(tmp_path: Path) -> None:
    """`hv bench engine` runs workflows on a stack of its own, writes every figure as JSON, all of
    them above zero, and leaves no process behind."""
    target = tmp_path / "figures.json"
    argv = [sys.executable, "-m", "services.cli", "bench", "engine", "--workflows", "20"]
    options = ["--durability", "relaxed", "--json", str(target)]
    done = subprocess.run(
        [*argv, *options], cwd=REPO_ROOT, capture_output=True, text=True, timeout=220, check=False
    )
    assert done.returncode == 0, done.stderr
    [(variant, figures)] = json.loads(target.read_text(encoding="utf-8")).items()
    assert variant == "relaxed"
    flat = {
        f"{name}.{inner}" if inner else name: figure
        for name, value in figures.items()
        for inner, figure in (value.items() if isinstance(value, dict) else [("", value)])
    }
    assert flat.keys() >= FIGURES
    assert all(flat[name] > 0 for name in FIGURES)
    for name in FIGURES:
        assert name in done.stdout


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_curve_measures_each_size(tmp_path: Path) -> None:
    """`hv bench curve` gives a cost for each size, stored and at once."""
    target = tmp_path / "curve.json"
    argv = [sys.executable, "-m", "services.cli", "bench", "curve", "--stored", "10"]
    options = ["--running", "10", "--json", str(target)]
    done = subprocess.run(
        [*argv, *options], cwd=REPO_ROOT, capture_output=True, text=True, timeout=220, check=False
    )
    assert done.returncode == 0, done.stderr
    [(variant, figures)] = json.loads(target.read_text(encoding="utf-8")).items()
    assert variant == "relaxed"
    assert list(figures) == ["10 stored", "1 at once", "10 at once"]
    assert all(figure > 0 for values in figures.values() for figure in values.values())


def test_percentiles_are_nearest_ranks() -> None:
    """Of one hundred values the 50th, 95th and 99th percent have so many below them."""
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [51, 96, 100, 100]
