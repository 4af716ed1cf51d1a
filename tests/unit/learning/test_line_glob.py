"""Which lines a pattern means."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.line_glob import GLOB_LIMIT, LineGlob


@pytest.mark.parametrize(
    ("pattern", "line", "means"),
    [
        ("mysql *", "mysql -p*** shop", True),
        ("mysql *", "mysql", False),
        ("mysql*", "mysql", True),
        ("mysql *", "sudo mysql x", False),
        ("*mysql*", "sudo mysql x", True),
        ("l?", "ls", True),
        ("l?", "l", False),
        ("l?", "lsb", False),
        ("Ls", "ls", False),
        (r"rm \*", "rm *", True),
        (r"rm \*", "rm x", False),
        (r"rm \?", "rm ?", True),
        ("a\\\\b", "a\\b", True),
        ("a\\n", "a\\n", True),
        ("[a-z]s", "ls", False),
        ("(a+)+$", "aaaa", False),
        ("a**b", "a-b", True),
    ],
)
def test_examples(pattern: str, line: str, means: bool) -> None:
    """A pattern means whole lines; only stars and question marks are special."""
    assert LineGlob(pattern).means(line) is means


@pytest.mark.parametrize("pattern", ["", "*", "??*", "a" * (GLOB_LIMIT + 1)])
def test_no_pattern(pattern: str) -> None:
    """One that names nothing, or is too long, is refused."""
    with pytest.raises(ValueError, match="a pattern"):
        LineGlob(pattern)


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=20))
def test_means_what_a_shell_means(pattern: str, line: str) -> None:
    """It agrees with a matcher that was written otherwise."""
    if set(pattern) & {"a", "b"}:
        assert LineGlob(pattern).means(line) is fnmatch.fnmatchcase(line, pattern)


@given(st.text(min_size=1, max_size=GLOB_LIMIT))
def test_everything_can_be_named(line: str) -> None:
    """Escaped, a line means itself."""
    escaped = "".join(f"\\{one}" if one in "*?\\" else one for one in line)
    if len(escaped) <= GLOB_LIMIT:
        assert LineGlob(escaped).means(line)
        assert not LineGlob(escaped).means(line + "x")


def test_one_step_a_character() -> None:
    """A pattern that would make others go back and forth looks at each character once."""

    class Counted(str):
        seen = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            for one in str(self):
                Counted.seen += 1
                yield one

    assert not LineGlob("*a" * 90 + "b").means(Counted("a" * 4_000))
    assert Counted.seen == 4_000
