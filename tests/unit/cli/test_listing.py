"""Rows in terminals of any width: what is a name or an id is never cut."""

import io

import pytest
from rich.console import Console

from services.cli import rendering

ID = "ex_01m8666aa1kg4988n8byqsxq27"
ROW = (ID, "incident_response", "completed", "a reason that is rather long, but may be broken")
COLUMNS = ("EXECUTION", "TEMPLATE", "STATUS", "WHY")


def printed(width: int) -> list[str]:
    """A row as a terminal of this width shows it."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(rendering.table(COLUMNS, [ROW]))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_table_where_it_fits() -> None:
    """In a wide terminal a row is one line under the names of its columns."""
    head, line = printed(160)
    assert head.split() == list(COLUMNS)
    assert line.split()[:3] == list(ROW[:3])


def test_the_last_column_gives_way_first() -> None:
    """Where the last column has room enough, it alone is broken."""
    head, *lines = printed(80)
    assert head.split() == list(COLUMNS)
    assert lines[0].startswith("  ".join(ROW[:3]))
    assert len(lines) > 1


@pytest.mark.parametrize("width", [40, 60])
def test_blocks_where_no_table_fits(width: int) -> None:
    """In a narrow terminal each row is a block: its name whole, the rest beside their columns."""
    first, *lines = printed(width)
    assert first == ID
    assert lines[0] == "  template  incident_response"
    assert lines[1] == "  status    completed"
    assert lines[2].startswith("  why       a reason")
    assert all(len(line) <= width for line in lines)


def test_what_says_nothing_has_no_line() -> None:
    """An empty cell of a block is left out."""
    console = Console(file=io.StringIO(), width=30)
    console.print(rendering.table(COLUMNS, [(ID, None, "", "why")]))
    assert isinstance(console.file, io.StringIO)
    assert "template" not in console.file.getvalue()


def test_a_list_tells_the_time_of_today_and_the_date_of_other_days() -> None:
    """So that a moment takes no more room than it must."""
    now_ms = 1_700_000_000_000
    assert rendering.short_moment(now_ms, now_ms) == rendering.moment(now_ms).split()[1]
    earlier_ms = now_ms - 3 * 86_400_000
    assert rendering.short_moment(earlier_ms, now_ms) == rendering.moment(earlier_ms).split()[0]
    assert rendering.short_moment(0, now_ms) == ""
