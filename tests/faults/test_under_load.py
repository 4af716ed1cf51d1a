"""`hv bench faults`, for a minute: the same code as the long run whose figures are recorded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ops.stack.layout import REPO_ROOT

pytestmark = [pytest.mark.kill, pytest.mark.long, pytest.mark.timeout(420)]

SEED = os.environ.get("HIVE_FAULTS_SEED", "7")


def test_nothing_is_lost_or_doubled_on_a_cluster(tmp_path: Path) -> None:
    """Under load the stream leader, the primary, coordinators and runners are killed and frozen in
    the order that the seed gives; the system goes on after each, every accepted workflow ends,
    ledger, states, histories and events agree, and the figures are written down."""
    target = tmp_path / "figures.json"
    argv = [sys.executable, "-m", "services.cli", "bench", "faults", "--minutes", "1"]
    options = ["--seed", SEED, "--json", str(target)]
    done = subprocess.run(
        [*argv, *options], cwd=REPO_ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(target.read_text(encoding="utf-8"))
    assert figures["told"] == []
    assert figures["accepted"] > 0
    assert figures["strikes"] == len(figures["each"]) >= 2
    assert {one["kind"] for one in figures["each"]} == figures["recovery_s"].keys()
    for kind in figures["recovery_s"]:
        assert re.search(rf"{kind}\.median\W+\d", done.stdout)
