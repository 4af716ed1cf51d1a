"""Replaying traces: figures by hand, rows that are wrong, memory that is counted."""

import json
from itertools import count

import numpy as np
import pytest

from shared.learning.next_command import NextCommandModel
from shared.learning.replaying import bytes_of, replay
from shared.learning.scores import Outcome, bins_of, scores_of
from shared.learning.traces import TraceError, parse_row
from tests.unit.learning.traces import routine


def test_the_figures_are_what_they_are_called() -> None:
    """Accuracies, reciprocal ranks and the calibration error of four predictions, by hand."""
    scores = scores_of([Outcome(1, 0.95), Outcome(1, 0.95), Outcome(2, 0.5), Outcome(0, 0.5)])
    assert (scores.n, scores.acc1, scores.acc3, scores.acc5) == (4, 0.5, 0.75, 0.75)
    assert scores.mrr == (1 + 1 + 0.5) / 4
    assert scores.ece == pytest.approx((2 * 0.05 + 2 * 0.5) / 4)
    assert [each.size for each in bins_of([Outcome(1, 1.0), Outcome(1, 0.0)])] == [1, 1]
    assert scores_of([]).n == 0


def test_each_command_is_predicted_before_it_is_learned() -> None:
    """What is never seen before is never right, what repeats soon is; times come from the clock."""
    ticks = count()
    once = replay(NextCommandModel("line"), routine("ann", 1), lambda: float(next(ticks)))
    assert [outcome.place for outcome in once.outcomes] == [0] * 5
    assert once.predicting == once.learning == [1.0] * 5
    often = replay(NextCommandModel("name"), routine("ann", 10), lambda: 0.0)
    assert [outcome.place for outcome in often.outcomes[-5:]] == [1] * 5


def test_a_row_says_what_is_known() -> None:
    """All fields are read; null and absent are unknown."""
    row = parse_row(
        '{"user": "u", "command": "ls", "session": "s", "cwd": "/", "host": "h", "osuser": "o",'
        ' "shell": "sh", "exit": 2, "ml": true, "ts": "2021-02-09T12:30:13+01:00", "more": 1}'
    )
    assert row.recorded.situation.osuser == "o"
    assert (row.recorded.exit, row.recorded.more_lines, row.at) == (2, True, 1612870213.0)
    bare = parse_row(b'{"user": "u", "command": "ls", "cwd": null}')
    assert (bare.recorded.exit, bare.recorded.situation.cwd, bare.at) == (None, "", None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        ("[]", "must be an object"),
        ('{"command": "ls"}', '"user" is missing'),
        ('{"user": "u", "command": "  "}', '"command" is missing'),
        ('{"user": 1, "command": "ls"}', '"user" must be a string'),
        ('{"user": "u", "command": "ls", "exit": "0"}', '"exit" must be'),
        ('{"user": "u", "command": "ls", "exit": true}', '"exit" must be'),
        ('{"user": "u", "command": "ls", "ml": 1}', '"ml" must be'),
        ('{"user": "u", "command": "ls", "ts": "soon"}', '"ts" must be'),
        ('{"user": "u", "command": "ls", "ts": {}}', '"ts" must be'),
    ],
)
def test_a_wrong_row_says_why(line: str | bytes, reason: str) -> None:
    """What is no recorded command is an error in words."""
    with pytest.raises(TraceError, match=reason):
        parse_row(line)


def test_memory_is_counted_once_and_whole() -> None:
    """Arrays, texts and containers count, and what is shared counts once."""
    array = np.zeros(100_000, np.float32)
    assert 400_000 < bytes_of({"a": array, "b": [array, array]}) < 402_000
    assert bytes_of(["x" * 5000]) > 5000
    assert bytes_of(NextCommandModel("line")) > 1_000_000


def test_a_long_line_counts_by_its_beginning() -> None:
    """Of a very long line the beginning is learned, so it is predicted like any other."""
    long = "echo " + "x" * 1000
    done = replay(NextCommandModel("line"), routine("ann", 6, ("ls", long)), lambda: 0.0)
    assert done.outcomes[-1].place == 1
    assert json.dumps(done.outcomes)
