"""Fixtures for the hive in memory."""

from pathlib import Path

import pytest

from tests.unit.collective.hive import LittleHive


@pytest.fixture
def hive(tmp_path: Path) -> LittleHive:
    return LittleHive(tmp_path)
