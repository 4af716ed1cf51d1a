"""Fixtures for the tests of commands."""

from pathlib import Path

import pytest

from tests.unit.commands.contexts import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A fresh working directory."""
    workdir = tmp_path / "work"
    workdir.mkdir()
    return Stage(workdir)
