"""Anti-unification: what runs have in common, and what varies."""

from __future__ import annotations

import shlex

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mining.lifting import Lifting, Member, lift
from shared.mining.rendering import text_of
from shared.mining.splitting import parts_of


def _lifted(
    runs: list[list[str]], shared_after: int = 1, users: list[str] | None = None
) -> Lifting:
    whose = users or ["ann"] * len(runs)
    columns = [
        [Member(user, parts_of(run[step], "/w")[0]) for user, run in zip(whose, runs, strict=True)]
        for step in range(len(runs[0]))
    ]
    found = lift(columns, shared_after, [False] * len(columns))
    assert found is not None
    return found


def _filled(lifting: Lifting, run: int) -> list[str]:
    values = [one.values[run] for one in lifting.parameters]
    return [text_of(step.words, values) or "" for step in lifting.steps]


VALUES = st.text("abcxyz0189._/@:=+ %-'\"", min_size=1, max_size=12).filter(
    lambda text: not text.startswith("-")
)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_a_runs_values_give_its_commands_back(values: list[tuple[str, str, str]]) -> None:
    """Filled with the values of a run, the steps mean exactly what that run ran."""
    quoted = [[shlex.quote(value) for value in run] for run in values]
    runs = [
        [f"systemctl stop {a}", f"cp -a /etc/app/x{b} {a}", f"tar --file={b} -x {c} | wc -l"]
        for a, b, c in quoted
    ]
    lifting = _lifted(runs)
    for number, run in enumerate(runs):
        filled = _filled(lifting, number)
        assert [shlex.split(line) for line in filled] == [shlex.split(line) for line in run]


def test_the_same_value_at_several_places_is_one_parameter() -> None:
    """A service that is stopped and started is one parameter, in parts of a path, too."""
    runs = [
        [f"systemctl stop {s}", f"cp /backup/{s}.conf /etc/{s}/{s}.conf", f"systemctl start {s}"]
        for s in ("nginx", "redis", "haproxy")
    ]
    lifting = _lifted(runs)
    assert [one.values for one in lifting.parameters] == [("nginx", "redis", "haproxy")]
    assert _filled(lifting, 1) == runs[1]


def test_what_never_varies_is_fixed() -> None:
    """Without anything that varies there is no parameter."""
    assert _lifted([["git pull", "make -j4 all"]] * 3).parameters == ()


def test_values_that_differ_are_parameters_of_their_own() -> None:
    """Two places that differ from each other in the same run are two parameters."""
    runs = [[f"scp {a} web1:{b}"] for a, b in (("a", "x"), ("b", "x"), ("a", "y"))]
    assert len(_lifted(runs).parameters) == 2


def test_a_word_of_one_user_is_never_fixed_for_others() -> None:
    """What only one of two users wrote becomes a parameter, though it never varies for that one."""
    runs = [["deploy alpha"], ["deploy alpha"], ["deploy beta"]]
    lifting = _lifted(runs, 2, ["ann", "ann", "bob"])
    assert len(lifting.parameters) == 1
    same = _lifted([["deploy alpha"]] * 3, 2, ["ann", "ann", "bob"])
    assert same.parameters == ()


def test_a_form_of_one_user_is_no_step_for_others() -> None:
    """Where each user has options of an own there is no common form."""
    columns = [[Member("ann", parts_of("ls -a x")[0]), Member("bob", parts_of("ls -l x")[0])]]
    assert lift(columns, 2, [False]) is None


def test_words_that_the_shell_works_on_stay() -> None:
    """Patterns of files and variables are never made parameters: a value means another thing."""
    lifting = _lifted([["gzip *.log", "echo $HOME/a"]] * 2)
    assert [word.text for step in lifting.steps for word in step.words] == [
        "gzip", "*.log", "echo", "$HOME/a",
    ]  # fmt: skip


def test_one_value_now_and_several_then_are_a_list() -> None:
    """Where a command is given now one value and now more, they become one list."""
    lifting = _lifted([["rm -f a"], ["rm -f b c"], ["rm -f d e f"], ["rm -f a b c d"]])
    (parameter,) = lifting.parameters
    assert parameter.is_list
    assert _filled(lifting, 1) == ["rm -f b c"]
    assert _filled(lifting, 3) == ["rm -f a b c d"]
