"""How long executions are kept, as an author writes it."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow.definition import Retention


def test_what_is_left_out_stays_open() -> None:
    """Each part by itself, and all together; deletion may come as soon as it is archived."""
    assert Retention().keep_days is None
    assert Retention(archive_days=9).keep_days is None
    assert Retention(keep_days=0.01, keep_last=0).archive_days is None
    assert Retention(keep_days=9, keep_last=100_000, archive_days=9).archive_days == 9


@pytest.mark.parametrize(
    "retention",
    [
        {"keep_days": 0},
        {"keep_days": -1},
        {"keep_last": -1},
        {"keep_last": 100_001},
        {"archive_days": 0.5},
        {"keep_days": 10, "archive_days": 9},
        {"keep": 3},
    ],
)
def test_what_no_retention_can_be(retention: dict[str, Any]) -> None:
    """Values that make no sense are refused when the template is stored."""
    with pytest.raises(ValueError, match=r"keep|archive"):
        Retention.model_validate(retention)
