"""What `hv check` demands."""

import os
import subprocess
import sys
from pathlib import Path

from ops.stack.layout import REPO_ROOT
from services.cli.develop import CHECKS, COVERAGE


def test_a_branch_that_no_test_takes_fails_the_check(tmp_path: Path) -> None:
    """The tests of one module alone leave branches of the core untaken: exit code 1, and which."""
    assert any(one.arguments[: len(COVERAGE)] == COVERAGE for one in CHECKS)
    done = subprocess.run(
        [sys.executable, *COVERAGE, "tests/unit/workflow/test_retry.py"],
        cwd=REPO_ROOT,
        env={**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "passed" in done.stdout
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Required test coverage of 100.0% not reached" in done.stdout
    assert "shared/workflow/scheduling.py" in done.stdout
