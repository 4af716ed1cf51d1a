"""The guide can be followed: each command, in order, in one shell, prints what the page shows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack import ports
from ops.stack.layout import REPO_ROOT
from tests.e2e.console_blocks import examples
from tests.e2e.page_shell import PageShell

GUIDE = REPO_ROOT / "docs" / "guide" / "first-workflow.md"
EXAMPLE = REPO_ROOT / "docs" / "examples" / "make_room.yaml"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home and a port of one's own; whatever was started is stopped."""
    foreign = ("HIVE_NATS_URL", "HIVE_MONGO_URL", "HIVE_URL", "HIVE_API_KEY")
    env = {name: value for name, value in os.environ.items() if name not in foreign}
    env |= {"HIVE_HOME": str(tmp_path), "HIVE_GATEWAY_PORT": str(ports.pick())}
    env |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    yield env
    subprocess.run(["./hv", "down"], cwd=REPO_ROOT, env=env, check=False, capture_output=True)


def test_the_workflow_on_the_page_is_the_one_that_is_run() -> None:
    """The page shows the file that its commands store, whole."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert f"```yaml\n{text}```" in GUIDE.read_text(encoding="utf-8")


def test_every_command_does_what_is_shown(environment: dict[str, str]) -> None:
    """From the demo to one's own workflow: parallel steps, a retry, an approval, a task answered by
    a person, a condition, and where to look afterwards.
    """
    shown = examples(GUIDE.read_text(encoding="utf-8"))
    assert len(shown) > 10
    with PageShell(REPO_ROOT, environment) as shell:
        for example in shown:
            shell.follow(example)
