"""Runs Prometheus's own checker; a machine without it is told how to get it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ADVICE = (
    "it tests the alert rules and the dashboard. Install the Debian package `prometheus`, or "
    "Prometheus's release for this system, so that it is on PATH."
)


def find(program: str) -> str:
    """Return the path of `promtool` or `prometheus`; fail the test, saying what to install."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} was not found: {ADVICE}")
    return found


def promtool(*arguments: str | Path, folder: Path | None = None) -> str:
    """Run promtool and return what it says; fail the test with it when it is not content."""
    done = subprocess.run(
        [find("promtool"), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
