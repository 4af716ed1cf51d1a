"""Stretches of work, and lines as single commands."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mining.programs import is_runnable, only_looks
from shared.mining.sessions import LONGEST_BREAK_S, SHORTEST_BREAK_S, sessions_of, threshold_s
from shared.mining.splitting import moved, parts_of, tokens_of
from tests.unit.mining.recorded import session


def test_a_long_break_begins_a_new_stretch() -> None:
    """What was run after an hour away is another stretch of work."""
    commands = [
        *session("ann", "a", ["git pull", "make"]),
        *session("ann", "a", ["df -h", "df -i"], at_s=3_700),
    ]
    found = [[c.command for c in one.commands] for one in sessions_of(commands)]
    assert found == [["git pull", "make"], ["df -h", "df -i"]]


def test_users_sessions_and_hosts_are_never_joined() -> None:
    """Commands at the same time of two users, sessions or hosts are stretches of their own."""
    commands = [
        *session("ann", "a", ["one"]),
        *session("bob", "a", ["two"]),
        *session("ann", "b", ["three"]),
        *session("ann", "a", ["four"], host="ops2"),
    ]
    assert len(list(sessions_of(commands))) == 4


def test_a_change_of_tree_ends_a_stretch_sooner() -> None:
    """A break that is none in one tree is one where the work goes on in another tree."""
    same = [*session("ann", "a", ["one"]), *session("ann", "a", ["two"], at_s=1_000)]
    other = [
        *session("ann", "a", ["one"], cwd="/home/ann/web"),
        *session("ann", "a", ["two"], at_s=1_000, cwd="/home/ann/mail"),
    ]
    assert len(list(sessions_of(same))) == 1
    assert len(list(sessions_of(other))) == 2


def test_the_threshold_lies_between_short_and_long_gaps() -> None:
    """Gaps of seconds and gaps of an hour and more are parted between the two."""
    assert 60 < threshold_s([5.0, 9.0, 20.0] * 30 + [4_000.0, 9_000.0] * 10) < 4_000


@given(st.lists(st.floats(0, 1e7)))
def test_the_threshold_is_within_its_bounds(gaps: list[float]) -> None:
    """Whatever the gaps are, the threshold is neither shorter nor longer than it may be."""
    assert SHORTEST_BREAK_S <= threshold_s(gaps) <= LONGEST_BREAK_S


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("git add -A && git diff", [("git add -A", "/w"), ("git diff", "/w")]),
        ("cd src && make; make install", [("make", "/w/src"), ("make install", "/w/src")]),
        ("ps aux | grep nginx 2>&1", [("ps aux | grep nginx 2>&1", "/w")]),
        ("for f in *; do rm $f; done", [("for f in *; do rm $f; done", "/w")]),
        ("sleep 5 & wait", [("sleep 5 & wait", "/w")]),
        ("make # again", [("make", "/w")]),
        ("echo 'a && b'", [("echo 'a && b'", "/w")]),
        ("fcrackzip -u -D -p w z", [("fcrackzip -D -u -p w z", "/w")]),
        ("cat <<EOF > f", []),
        ("echo 'open", []),
        ("cd /tmp", []),
    ],
)
def test_a_line_is_parted_where_a_shell_parts_it(line: str, parts: list[tuple[str, str]]) -> None:
    """Lists of commands are parted, each where it runs; what a shell reads as one stays one."""
    assert [(part.text, part.cwd) for part in parts_of(line, "/w")] == parts


@given(st.text(max_size=60))
def test_tokens_stand_where_they_say(line: str) -> None:
    """Every token is the text at its place of the line, in order, and nothing is met twice."""
    tokens = tokens_of(line) or ()
    assert all(line[t.start : t.end] == t.text for t in tokens)
    assert all(a.end <= b.start for a, b in itertools.pairwise(tokens))


@pytest.mark.parametrize(
    ("cwd", "target", "after"),
    [("/a/b", "..", "/a"), ("", "x", ""), ("/a", "~", "~"), ("/a", "-", ""), ("/a", "/b", "/b")],
)
def test_where_a_change_of_directory_leads(cwd: str, target: str, after: str) -> None:
    """A directory is followed where that can be known."""
    assert moved(cwd, target) == after


@pytest.mark.parametrize(
    ("line", "runnable"),
    [
        ("vim x", False), ("cd x", False), ("export A=1", False), ("ssh web1", False),
        ("ssh web1 uptime", True), ("python", False), ("python x.py", True), ("nmap --help", False),
        ("I want to", False), ("R CMD build", True), ("git push", True), ("ssh -p 22 web1", False),
        ("sudo -i", False),
    ],
)  # fmt: skip
def test_what_needs_a_person_is_no_step(line: str, runnable: bool) -> None:
    """Editors, consoles, changes of the shell and prose are not run by steps."""
    name, *words = line.split()
    assert is_runnable(name, words) is runnable


def test_what_only_looks_is_known() -> None:
    """Reading is told from changing by the program, its first word, and its options."""
    assert only_looks("git", ["diff", "--cached"])
    assert not only_looks("git", ["push"])
    assert only_looks("sed", ["-n", "1,5p", "f"])
    assert not only_looks("sed", ["-i", "s/a/b/", "f"])
    assert only_looks("curl", ["http://web1"])
    assert not only_looks("curl", ["-X", "POST", "http://web1"])
