"""What is recorded of a typed text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.recorded_line import LOOKED_AT, recorded_line
from shared.learning.records import LINE_LIMIT


@pytest.mark.parametrize(
    ("text", "line", "more", "masked"),
    [
        ("ls -la", "ls -la", False, False),
        ("\n  cd /srv  \nmake\n", "cd /srv", True, False),
        (" \n\t", "", False, False),
        ("mysql -pS3cr3t! x", "mysql -p*** x", False, True),
        ("cat <<EOF\npassword: S3cr3t!\nEOF", "cat <<EOF", True, False),
        ("export TOKEN='S3cr3t!\nmore'", "export TOKEN=***", True, True),
    ],
)
def test_its_first_line_without_secrets(text: str, line: str, more: bool, masked: bool) -> None:
    """Of several lines the first is kept; secrets are not."""
    assert recorded_line(text) == (line, more, masked)


def test_it_has_a_bound() -> None:
    """However long a line is, what is kept and looked at is not."""
    assert len(recorded_line("x" * 100_000).command) == LINE_LIMIT
    for before in range(30):
        secret = f"export TOKEN={'x' * 700}; " + "a" * (LOOKED_AT - 740 - before)
        line = f"{secret} echo ghp_{'Ab1' * 12}{'b' * LOOKED_AT}"
        assert "ghp_" not in recorded_line(line).command


@given(st.text(max_size=300))
def test_doing_it_twice_is_doing_it_once(text: str) -> None:
    """What was made on a client is the same in the gateway."""
    line = recorded_line(text)
    again = recorded_line(line.command)
    assert again == (line.command, False, False)
    assert "\n" not in line.command
