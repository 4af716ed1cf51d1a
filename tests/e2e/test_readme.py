"""What README shows is what happens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack import ports
from ops.stack.layout import REPO_ROOT
from tests.e2e.console_blocks import Example, examples

README = REPO_ROOT / "README.md"
NOT_HERE = "./hv test"
"""What runs this very test cannot be run by it."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home and a port of one's own; whatever was started is stopped."""
    port = ports.pick(avoid=set())
    env = {**os.environ, "HIVE_HOME": str(tmp_path), "HIVE_GATEWAY_PORT": str(port)}
    env |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    yield env
    subprocess.run(["./hv", "down"], cwd=REPO_ROOT, env=env, check=False, capture_output=True)


def test_the_first_screen_is_short() -> None:
    """At most 150 lines: the rest is in docs/."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_example_is_the_file() -> None:
    """The workflow on the page is the one that the commands store."""
    example = REPO_ROOT / "docs" / "examples" / "disk_check.yaml"
    assert f"```yaml\n{example.read_text(encoding='utf-8')}```" in README.read_text(
        encoding="utf-8"
    )


def test_every_command_does_what_is_shown(environment: dict[str, str]) -> None:
    """The commands run in order on a stack of their own, and print what the page says."""
    shown = examples(README.read_text(encoding="utf-8"))
    assert any(example.command.startswith("./hv demo") for example in shown)
    for example in shown:
        if not example.command.startswith(NOT_HERE):
            _run(example, environment)


def _run(example: Example, env: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", example.command],
        cwd=REPO_ROOT,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, f"{example.command}\n{done.stdout}\n{done.stderr}"
    promised = "\n".join(example.expected)
    assert example.matches(done.stdout), (
        f"{example.command} promised:\n{promised}\nbut printed:\n{done.stdout}"
    )
