"""What is made of counts: rates with their interval, speeds of agents, time that was saved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.rates import rate
from shared.analytics.rows import Row, Sums, Table
from shared.analytics.saving import ENOUGH, HANDLING_MS, handling_of, saved
from shared.analytics.speeds import compared, logarithm, ratio
from shared.analytics.views import Name
from tests.unit.analytics.items import attempt, folded, row, run, tables


def test_of_nothing_there_is_no_rate() -> None:
    """No runs, no rate: none is made up."""
    assert rate(0, 0) is None


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_rate_lies_in_its_interval(times: int, of: int) -> None:
    """And the interval between 0 and 1; it shrinks as there is more."""
    times = min(times, of)
    found, more = rate(times, of), rate(times * 10, of * 10)
    assert found is not None
    assert more is not None
    assert 0 <= found.low <= found.share <= found.high <= 1
    assert more.high - more.low < found.high - found.low


def test_the_interval_is_wilsons() -> None:
    """9 of 10: 0.596 to 0.982 (Newcombe 1998)."""
    found = rate(9, 10)
    assert found is not None
    assert (round(found.low, 3), round(found.high, 3)) == (0.596, 0.982)


def test_an_agent_is_compared_at_the_same_steps_only() -> None:
    """Who runs the slow step twice as fast as the other is not slow; who runs alone is not
    compared."""
    attempts = [
        *[attempt("long", 20_000, agent="a")] * 5,
        *[attempt("long", 40_000, agent="b")] * 5,
        *[attempt("short", 10, agent="b")] * 50,
        *[attempt("alone", 7, agent="c")] * 3,
    ]
    fold = folded([run(f"ex_{n}", attempts=(one,)) for n, one in enumerate(attempts)])
    found = {agent: row(fold, "speeds", "", agent).counts for agent in "abc"}
    assert ratio(found["a"]["n"], found["a"]["log"]) == pytest.approx(0.5, rel=1e-4)
    assert ratio(found["b"]["n"], found["b"]["log"]) == pytest.approx(2.0, rel=1e-4)
    assert found["c"] == {}
    assert ratio(0, 0) is None


def test_what_speeds_are_made_from_stays_inside() -> None:
    """Cells are no table that anybody reads."""
    fold = folded([run()])
    assert not any("/cells/" in name for name in tables(fold))


def test_an_agent_as_quick_as_all_has_ratio_one() -> None:
    """Equal durations, whatever they are."""
    cells = Table()
    for agent in "ab":
        cells.row(agent, "t", "s").count("n", 3)
        cells.row(agent, "t", "s").count("log", 3 * logarithm(1_234))
    assert compared(cells).rows["a",].counts == {"n": 3}


def test_time_saved_lies_between_two_bounds() -> None:
    """Three commands of 10 s; one decision was still a person's."""
    attempts = tuple(attempt(f"step_{n}", 10_000) for n in range(3))
    counted = row(folded([run(attempts=attempts)]), "totals", "")
    found = saved(counted, *handling_of(counted))
    assert (found.least_ms, found.most_ms) == (2 * HANDLING_MS, 2 * HANDLING_MS + 30_000)
    assert found.gaps == 0


def test_what_failed_saved_nothing() -> None:
    """Nor what was cancelled."""
    fold = folded([run("a", status="failed"), run("b", status="cancelled")])
    assert saved(row(fold, "totals", ""), HANDLING_MS, 0).most_ms == 0


def test_who_clicks_more_than_is_run_saves_nothing() -> None:
    """It is never below zero."""
    row_ = Row({"acts": 1, "decisions": 4})
    assert saved(row_, HANDLING_MS, 0).least_ms == 0


def test_the_handling_time_is_measured_once_there_is_enough() -> None:
    """The median of the gaps, and how many there were."""
    row_ = Row()
    for number in range(ENOUGH):
        row_.span("gap", 4_000 if number % 3 else 90_000)
    handling, gaps = handling_of(row_)
    assert handling == pytest.approx(4_000, rel=0.01)
    assert gaps == ENOUGH


def test_sums_are_the_merged_table() -> None:
    """Reading many tables gives the rows of the one that has them all."""
    one, two = Table(), Table()
    for number, table in enumerate((one, two, two)):
        table.row("a").count("n", number + 1)
        table.row("a").span("ms", number * 100)
    whole = Table()
    whole.merge(one)
    whole.merge(two)
    sums = Sums([one.text(), two.text()])
    assert sums.row(("a",)) == whole.rows["a",]
    assert sums.total([("a",), ("b",)]) == whole.rows["a",]
    assert sums.count(("b",), "n") == 0
    assert Table.read(whole.text()) == whole


@pytest.mark.parametrize("text", ["", "h/1", "x/1/totals/", "h/1/other/", "h/one/totals/"])
def test_what_is_no_name_is_refused(text: str) -> None:
    """Names of tables are read strictly."""
    with pytest.raises(ValueError):
        Name.read(text)
