"""Names, values and templates of command lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.learning.command_text import abstract, fill, name_of, tokens_of, values_of


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ls -l", "ls"),
        ("  git   status", "git"),
        ("cd /srv/app && make test", "make"),
        ("cd '/srv/my app' && LANG=C make", "make"),
        ("A=1 B='x y' python run.py", "python"),
        ("sudo -u postgres psql", "psql"),
        ("sudo -E --preserve-env=X A=1 apt update", "apt"),
        ("sudo -n -- systemctl restart x", "systemctl"),
        ("cd /tmp", "cd"),
        ("cd", "cd"),
        ("cd && ls", "ls"),
        ("sudo", "sudo"),
        ("sudo -i", "sudo"),
        ("A=1", "A=1"),
        ("", ""),
    ],
)
def test_the_name_is_behind_what_only_prepares(line: str, name: str) -> None:
    """`cd X &&`, assignments and sudo with its options do not name a command."""
    assert name_of(line) == name


@given(st.text(max_size=80))
def test_a_line_that_is_not_blank_has_a_name(line: str) -> None:
    """No line, however odd, is without a name, unless it is blank."""
    assert bool(name_of(line)) == bool(line.strip())


@given(st.text(max_size=80))
def test_tokens_make_the_line_again(line: str) -> None:
    """Splitting loses nothing."""
    assert "".join(tokens_of(line)) == line


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("ssh root@10.0.0.7 -p 22", [("address", "root@10.0.0.7"), ("number", "22")]),
        ("cat /etc/hosts | grep app", [("path", "/etc/hosts"), ("word", "app")]),
        ("python repro.py > out.txt", [("file", "repro.py"), ("file", "out.txt")]),
        ("curl https://a.example/x", [("url", "https://a.example/x")]),
        ("git show 1a2b3c4d5e", [("word", "show"), ("hex", "1a2b3c4d5e")]),
        ("echo 'two words' && ls", [("text", "'two words'")]),
    ],
)
def test_values_have_kinds(line: str, values: list[tuple[str, str]]) -> None:
    """What a token names is told by its form; command names and options are no values."""
    assert values_of(line) == values


_WORDS = st.sampled_from(
    ["ls", "-l", "/etc/hosts", "10.0.0.1", "a.py", "17", "|", "&&", "'x y'", "root@h", ">", "w"]
)


@given(st.lists(_WORDS, max_size=12), st.data())
def test_what_was_abstracted_is_filled_again(words: list[str], data: st.DataObject) -> None:
    """Filling is the inverse of abstracting, whichever values are known."""
    line = " ".join(words)
    known = [pair for pair in dict.fromkeys(values_of(line)) if data.draw(st.booleans())]
    places = {pair: number for number, pair in enumerate(known)}
    values = {(kind, number): value for (kind, value), number in places.items()}
    template = abstract(line, lambda kind, value: places.get((kind, value)))
    assert fill(template, lambda kind, place: values.get((kind, place))) == line


def test_a_template_with_nothing_to_put_is_no_line() -> None:
    """A reference to a value that is not there gives no line."""
    template = abstract("cat a.py", lambda *_: 0)
    assert fill(template, lambda *_: None) is None
    assert fill(template, lambda *_: "b.py") == "cat b.py"
