"""The signs by which kinds of texts are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.suggest import cues


def shown(text: str) -> set[str]:
    return {sign.cue for sign in cues.signs(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CVE-2030-0001 in libpng before 1.6.50", {"advisory"}),
        ("An attacker may bypass the check", {"threat", "flaw"}),
        ("[FIRING:1] HostDown (db-1)", {"alert"}),
        ("KubePodNotReady: pod is not ready for 15 minutes", {"alert", "failure"}),
        ("requests end with 503", {"http_5xx"}),
        ("Planned works on Sunday, 02:00-04:00 UTC", {"maintenance", "window", "zone", "date"}),
        ("Set worker_connections = 1024 in nginx.conf", {"turn", "setting", "file"}),
        ("raise the limit from 10 to 20", {"from_to", "config"}),
        ("How to rename a branch?", {"how_to"}),
        ("run `git branch -m NEW`", {"shell"}),
        ("Could somebody review this by Friday?", {"ask", "due"}),
        ("As a user I want to log out so that nobody reads my mail", {"story"}),
        ("OPS-123: order a cable", {"ticket_id"}),
    ],
)
def test_signs_are_seen(text: str, expected: set[str]) -> None:
    """A text shows the cues of its kind."""
    assert expected <= shown(text)


def test_case_matters_where_it_is_the_sign() -> None:
    """`PROBLEM` heads an alert; a problem is only a word."""
    assert "alert" in shown("PROBLEM - disk on fs1")
    assert "alert" not in shown("no problem with the disk")


def test_repetition_counts_less_and_less() -> None:
    """Strength grows with the signs and ends at the fourth."""
    at = cues.NAMES.index("threat")
    grown = [float(cues.strengths("attack " * n)[at]) for n in (0, 1, 2, 4, 9)]
    assert grown == pytest.approx([0, 0.5, 0.7071, 1, 1], abs=1e-3)


def test_every_cue_says_something_of_its_own() -> None:
    """Names and sentences are not used twice."""
    assert len({cue.name for cue in cues.CUES}) == len(cues.CUES)
    assert len({cue.says for cue in cues.CUES}) == len(cues.CUES)


@given(st.text(max_size=600))
def test_strengths_are_shares(text: str) -> None:
    """Whatever is read, each cue is between absent and fully there."""
    found = cues.strengths(text)
    assert found.shape == (len(cues.NAMES),)
    assert ((found >= 0) & (found <= 1)).all()


@given(st.text(max_size=600))
def test_signs_stand_where_they_say(text: str) -> None:
    """A sign is a part of the text at its place, but for white space."""
    for sign in cues.signs(text):
        assert "".join(text[sign.start :].split()).startswith("".join(sign.text.split()))


@pytest.mark.parametrize("part", ["a", " ", "a.", "=", "1:", "from ", "and ", "\n- ", "A1", "_"])
def test_repetition_comes_to_an_end(part: str) -> None:
    """A pattern that goes back and forth without end would not return in time."""
    assert cues.strengths(part * 20_000).shape == (len(cues.NAMES),)
