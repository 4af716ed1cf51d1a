"""Fixtures for the tests of commands."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.commands.contexts import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A fresh working directory."""
    workdir = tmp_path / "work"
    workdir.mkdir()
    return Stage(workdir)


@pytest.fixture
def tiny_disk(stage: Stage) -> Iterator[Path]:
    """A file system of 64 KiB, mounted in the working directory."""
    mounted = stage.workdir / "tiny"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)
