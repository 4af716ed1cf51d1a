"""What undoes what: learned where the form allows it and people do it."""

from __future__ import annotations

import pytest

from shared.mining.acts import corpus_of
from shared.mining.sessions import sessions_of
from shared.mining.undoing import UndoPair, opposite, undo_pairs
from tests.unit.mining.recorded import many


@pytest.mark.parametrize(
    ("one", "other"),
    [("start", "stop"), ("mount", "umount"), ("cordon", "uncordon"), ("useradd", "userdel"),
     ("enable", "disable"), ("ifup", "ifdown"), ("mkdir", "rmdir"), ("a2ensite", "a2dissite")],
)  # fmt: skip
def test_opposites(one: str, other: str) -> None:
    """Opposites are known from the table, or by how the words are built; in both directions."""
    assert opposite(one, other)
    assert opposite(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("add", "commit"), ("build", "push"), ("start", "status"), ("a", "a")]
)
def test_what_follows_is_not_its_opposite(one: str, other: str) -> None:
    """Words that follow each other are no opposites."""
    assert not opposite(one, other)


def _pairs(lines: list[str], users: int = 2, shared_after: int = 2) -> tuple[UndoPair, ...]:
    commands = many(
        [f"user{n}" for n in range(users)], 4, lines, {"x": ["nginx", "redis", "haproxy"]}
    )
    return undo_pairs(corpus_of(sessions_of(commands)).stretches, shared_after)


def test_a_stop_is_undone_by_a_start_of_the_same() -> None:
    """`stop x … start x` in several sessions is learned, with the place of x."""
    found = _pairs(["systemctl stop {x}", "make install", "systemctl start {x}"])
    assert [one.undo for one in found] == [("systemctl", "start", 2)] or [
        one.undo for one in found
    ] == [(0, "start", 2)]
    assert found[0].fits(("systemctl", "stop", None))
    assert not found[0].fits(("systemctl", "restart", None))


def test_a_start_of_something_else_undoes_nothing() -> None:
    """Opposites about different things are no pair."""
    assert _pairs(["systemctl stop {x}", "make install", "systemctl start postgres"]) == ()


def test_a_sequence_is_no_pair() -> None:
    """`git add x, git commit x` alternate as stop and start do, and undo nothing."""
    assert _pairs(["git add {x}", "git commit {x}"]) == ()


def test_a_line_with_pop_undoes_the_line_without() -> None:
    """`git stash … git stash pop` is learned."""
    found = _pairs(["git stash", "git pull", "git stash pop"])
    assert (0, 1, "pop") in [one.undo for one in found]


def test_what_one_user_does_is_not_shared() -> None:
    """A pair of one user is learned for that user only."""
    lines = ["kubectl cordon {x}", "reboot now", "kubectl uncordon {x}"]
    assert _pairs(lines, users=1) == ()
    assert len(_pairs(lines, users=1, shared_after=1)) == 1
