"""The bounded reader: only data comes in, and every refusal says where and what to do."""

import json

import pytest

from shared.templates.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    TemplateFileError,
    describe,
    parse,
)


def refusal(text: str) -> str:
    """The first problem of a text that must be refused, as a sentence."""
    with pytest.raises(TemplateFileError) as caught:
        parse(text)
    assert caught.value.placed[0].fix
    return describe(caught.value.placed[0])


def test_aliases_are_refused() -> None:
    """The billion laughs never begin: the first alias ends the reading."""
    bomb = "a: &a [x, x]\n" + "\n".join(f"b{n}: &b{n} [*a, *a]" for n in range(30))
    assert refusal(bomb).startswith("line 2, column 10: aliases are not allowed")


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 50_000, "a: " + "[" * 50_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """Fifty thousand levels are an error with a place, neither a recursion nor a long wait."""
    assert f"nested deeper than {MAX_DEPTH} levels" in refusal(text)


def test_brackets_within_strings_do_not_nest() -> None:
    """Only real nesting counts."""
    value = ["[" * 100, '\\"' + "{" * 100]
    assert parse(json.dumps(value)).value == value


def test_large_texts_are_refused() -> None:
    """Size is bounded before anything is parsed, the number of values while it is."""
    assert "larger than" in refusal("a: " + "x" * MAX_BYTES)
    assert "values" in refusal("\n".join(["- 1"] * (MAX_VALUES + 1)))


@pytest.mark.parametrize(
    ("text", "where"),
    [("id: a\nname: b\nid: c\n", "line 3, column 1: "), ('{"id": 1, "id": 2}', "")],
)
def test_duplicate_keys_are_refused(text: str, where: str) -> None:
    """A key written twice never loses its first value silently."""
    assert refusal(text).startswith(f"{where}key 'id' is written twice")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing in it"),
        ("# only a comment\n", "nothing in it"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: there is a second document"),
        ("a: !!python/object/apply:os.system [id]\n", "is not allowed"),
        ("a: !secret x\n", "tag !secret is not allowed"),
        ("a: [1, 2\n", "line 2, column 1: "),
        ("? [a]\n: 1\n", "a key must be plain text"),
        ("a: 1e999\n", "1e999 is too large"),
        ("a: \x07\n", "character"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": 1,}', "line 1, column"),
        ('{"a": ' + "1" * 10_000 + "}", "too many digits"),
    ],
)
def test_bad_texts_say_what_is_wrong(text: str, message: str) -> None:
    """Whatever is wrong, the sentence names it."""
    assert message in refusal(text)


def test_plain_values_read_as_yaml_1_2() -> None:
    """`on`, `no`, dates and sexagesimals are text; decimals are numbers; quotes keep text."""
    text = """
    on: [completed]
    no: yes
    date: 2030-01-31
    time: 12:30
    octal: 010
    number: -1.5e3
    count: 42
    quoted: "42"
    nothing: ~
    truth: true
    long: {long}
    """.replace("{long}", "9" * 1000)
    value = parse(text).value
    assert value.pop("long") == "9" * 1000
    assert value == {
        "on": ["completed"],
        "no": "yes",
        "date": "2030-01-31",
        "time": "12:30",
        "octal": 10,
        "number": -1500.0,
        "count": 42,
        "quoted": "42",
        "nothing": None,
        "truth": True,
    }


def test_values_have_places() -> None:
    """Every value can be found again by its path; unknown paths give the nearest one around."""
    document = parse("steps:\n  - id: a\n    when: x\n  - id: b\n")
    assert document.place("steps/0/when") == (3, 5)
    assert document.place("steps/1/when") == (4, 5)
    assert document.place("elsewhere") == (1, 1)


def test_values_of_json_have_places() -> None:
    """As in YAML: that of the key, and in a list that of the value."""
    document = parse('{"steps": [\n  {"id": "a", "depends_on": ["x", {"y": []}]},\n 3], "z": {}}')
    assert document.place("steps") == (1, 2)
    assert document.place("steps/0") == (2, 3)
    assert document.place("steps/0/id") == (2, 4)
    assert document.place("steps/0/depends_on/1/y") == (2, 36)
    assert document.place("steps/1") == (3, 2)
    assert document.place("z") == (3, 6)
    assert document.place("elsewhere") == (1, 1)


def test_a_part_of_a_text_has_a_place() -> None:
    """In a block as it is written, and in a text on one line; else that of the whole."""
    document = parse(
        'a:\n  script: |\n    rm x\n\n    echo $Y\n  quoted: "abc def"\n  plain: foo bar\n'
        '  folded: >-\n    one\n    two\n  escaped: "a\\tb"\n  number: 5\n'
    )
    assert document.inside("a/script", 11) == (5, 10)
    assert document.inside("a/quoted", 4) == (6, 16)
    assert document.inside("a/plain", 4) == (7, 14)
    assert document.inside("a/folded", 4) == document.place("a/folded")
    assert document.inside("a/escaped", 2) == document.place("a/escaped")
    assert document.inside("a/number", 0) == document.place("a/number")
    assert document.inside("a/nothing/0", 0) == document.place("a")
