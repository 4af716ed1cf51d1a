"""Expressions: what they may see, what they may cost, what comes out."""

import json
import re
import time
from contextlib import suppress
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.workflow.errors import ExpressionError
from shared.workflow.expressions import (
    MAX_BUILD_ITEMS,
    MAX_SOURCE,
    Compiled,
    Expressions,
    Rendered,
    Scope,
    cel_type,
    names_in,
    sources_in,
)

SCOPE = Scope(
    {
        "params.text": cel.Type.STRING,
        "params.count": cel.Type.INT,
        "params.share": cel.Type.DOUBLE,
        "params.any": cel.Type.DYN,
        "params.items": cel.Type.List(cel.Type.DYN),
        "steps.a.output": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "steps.a.output.code": cel.Type.INT,
    }
)


def value(source: str, **params: Any) -> Any:
    """Evaluate a source over these parameters."""
    return Compiled(source, SCOPE).evaluate({f"params.{n}": v for n, v in params.items()})


def refused(source: str) -> str:
    """Return why a source does not compile."""
    with pytest.raises(ExpressionError) as raised:
        Compiled(source, SCOPE)
    return raised.value.reason


def failed(source: str, **params: Any) -> str:
    """Return why a source that compiles cannot be evaluated."""
    with pytest.raises(ExpressionError) as raised:
        value(source, **params)
    return raised.value.reason


# Names and types


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("params.txt", "undeclared reference to 'params.txt'"),
        ("steps.a.output.cod == steps.b.output", "undeclared reference to 'steps.b.output'"),
        ("params.text + 1", "no matching overload"),
        ("steps.a.output.code == '200'", "no matching overload"),
        ("params.text ==", "Syntax error"),
        ("params['text']", "undeclared reference"),
        ("now()", "undeclared reference"),
    ],
)
def test_mistakes_are_found_when_it_is_compiled(source: str, words: str) -> None:
    """An undeclared name, a wrong type or a syntax error never waits for the run."""
    reason = refused(source)
    assert words in reason
    assert "\n" not in reason


def test_a_syntax_error_has_its_position() -> None:
    """The reason of a syntax error says at which character it is."""
    assert refused("params.text == )").startswith("at character 16: ")


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("params.text", ("params.text",)),
        ("steps.a.output.code + params.count", ("params.count", "steps.a.output.code")),
        ("steps.a.output.other", ("steps.a.output",)),
        ("steps . a . output.code == 1", ("steps.a.output.code",)),
        (".params.count == 1", ("params.count",)),
        ("'params.text' == 'x' // params.count", ()),
        ("'''it's''' == params.text || 'y' == \"params.any\"", ("params.text",)),
        (r"""r'\d' == params.text || 'params.any' == r"it's" """, ("params.text",)),
        ("[params.any].all(x, x == params.count)", ("params.any", "params.count")),
        ("xparams.text == 1 || true", ()),
    ],
)
def test_only_what_is_named_is_needed(source: str, needs: tuple[str, ...]) -> None:
    """Names in strings and comments are none; of a path, the longest declared part counts."""
    scope = Scope({**SCOPE.variables, "xparams": cel.Type.DYN})
    found = Compiled(source, scope).needs
    assert tuple(n for n in found if n != "xparams") == needs


def test_has_looks_into_outputs() -> None:
    """`has()` tells whether a field is there, and the expression then sees outputs untyped."""
    compiled = Compiled("has(steps.a.output.code) && steps.a.output.code == 1", SCOPE)
    assert compiled.needs == ("steps.a.output",)
    assert compiled.test({"steps.a.output": {"code": 1}})
    assert not compiled.test({"steps.a.output": {}})


def test_has_in_a_string_is_text() -> None:
    """An expression that only mentions `has(` in a string keeps its types."""
    assert Compiled("steps.a.output.code == 1 || 'has(' == ''", SCOPE).needs == (
        "steps.a.output.code",
    )


def test_missing_values_are_errors() -> None:
    """A declared name without a value fails the expression, alone and inside a larger one."""
    assert "no value" in failed("params.count")
    assert "No value with name" in failed("params.count + 1")
    with pytest.raises(ExpressionError, match='Key not found in map : "x"'):
        Compiled("steps.a.output.x == 1", SCOPE).evaluate({"steps.a.output": {}})


@pytest.mark.parametrize(
    ("schema", "source", "is_boolean"),
    [
        ({"type": "boolean"}, "v", True),
        ({"type": "string"}, "v", False),
        ({"type": "integer"}, "v > 1", True),
        ({"type": "number"}, "v > 1.5", True),
        ({"type": "array"}, "v[0]", True),
        ({"type": "array", "items": {"type": "string"}}, "v[0]", False),
        ({"type": "object"}, "v.x", True),
        ({"type": ["string", "null"]}, "v", True),
        ({"type": "null"}, "v", True),
        ({}, "v", True),
    ],
)
def test_types_come_from_json_schema(schema: dict[str, Any], source: str, is_boolean: bool) -> None:
    """A variable has the type of its schema; where it is not certain, anything goes."""
    assert Compiled(source, Scope({"v": cel_type(schema)})).is_boolean is is_boolean


# Values


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 1", 2),
        ("7 / 2", 3),
        ("7.0 / 2.0", 3.5),
        ("'a' + 'b'", "ab"),
        ("1 < 2 && 'b' in ['a', 'b']", True),
        ("null", None),
        ("[1, 2.5, null, {'a': [true]}]", [1, 2.5, None, {"a": [True]}]),
        ("{1: 2}", {"1": 2}),
        ("b'abc'", "abc"),
        ("duration('90s')", "0:01:30"),
        ("timestamp('2024-02-03T04:05:06Z')", "2024-02-03 04:05:06+00:00"),
        ("['b', 'c'].join('-')", "b-c"),
        ("true ? 'yes' : 'no'", "yes"),
    ],
)
def test_results_are_plain_json(source: str, expected: Any) -> None:
    """Whatever CEL computes comes out as JSON data."""
    result = value(source)
    assert result == expected
    assert type(result) is type(expected)


def test_integers_become_numbers() -> None:
    """A whole number for a `number` can be compared with and added to a fraction."""
    assert value("params.share + 0.5", share=1) == 1.5
    assert value("params.share + 0.5", share=1.0) == 1.5


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "divide by zero"),
        ("params.share / 0.0", "not a finite number"),
        ("[0.0 / 0.0]", "not a finite number"),
        ("params.count + 9223372036854775807", "overflow"),
        ("int('x')", "cannot convert string to int"),
        ("params.any + 1", "No matching overloads"),
    ],
)
def test_operations_can_fail(source: str, words: str) -> None:
    """An operation that fails on the data says why in one line."""
    reason = failed(source, share=1, count=1, any="x")
    assert words in reason
    assert "\n" not in reason


def test_values_that_cel_cannot_hold() -> None:
    """An integer of more than 64 bits, or text that is not Unicode, fails the expression."""
    assert "out of range" in failed("params.any == 1", any=2**70)
    assert failed("params.any == 'x'", any="\ud800")


@pytest.mark.parametrize("data", ["a\0b", ["\0"], {"\0": 1}, {"a": "\0"}])
def test_nul_characters_are_refused(data: Any) -> None:
    """The library would cut a text off at a NUL character; instead, the expression fails."""
    assert "NUL character" in failed("params.any == ''", any=data)


def test_a_condition_is_true_or_false() -> None:
    """A condition with another value is an error, not a guess."""
    compiled = Compiled("params.any", SCOPE)
    assert compiled.test({"params.any": True})
    with pytest.raises(ExpressionError, match="must be true or false, is int"):
        compiled.test({"params.any": 1})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_a_name_takes_its_value_over(data: Any) -> None:
    """A value that is only passed on comes out as it went in."""
    assert Rendered(["${{ params.any }}"], SCOPE).render({"params.any": data}) == [data]


@settings(deadline=None)
@given(JSON.filter(lambda data: not re.search(r"Infinity|\\u0000", json.dumps(data))))
def test_computed_values_come_out_as_they_went_in(data: Any) -> None:
    """A value that goes through the library is the same JSON afterwards."""
    assert value("true ? params.any : null", any=data) == data


# Bounds


def test_the_source_is_bounded() -> None:
    """A source that is too long or nested too deep does not compile."""
    assert f"longer than {MAX_SOURCE}" in refused("1" * (MAX_SOURCE + 1))
    assert "recursion" in refused("(" * 100 + "1" + ")" * 100)
    assert "recursion" in refused("1+" * 100 + "1")


@pytest.mark.parametrize(
    "source",
    [
        "params.items.all(a, params.items.all(b, params.items.all(c, true)))",
        "params.items.exists(a, params.items.exists(b, false))",
        "params.items.map(a, params.items.map(b, a))",
        "'" + "a" * 500 + "'.matches('(a*)*(a*)*b')",
    ],
)
def test_time_is_bounded(source: str) -> None:
    """An expression that goes through everything again and again is stopped."""
    before = time.process_time()
    with suppress(ExpressionError):
        value(source, items=list(range(MAX_BUILD_ITEMS)))
    assert time.process_time() - before < 2


def test_building_is_bounded() -> None:
    """Lists are built from lists of a bounded length, and only a few times in one expression."""
    assert value("params.items.map(x, x + 1)", items=[1]) == [2]
    assert value("params.any.rows.filter(x, x > 1)", any={"rows": [1, 2]}) == [2]
    long = list(range(MAX_BUILD_ITEMS + 1))
    assert "more than 2000 items" in failed("params.any.rows.map(x, x)", any={"rows": [long]})
    assert value("params.items.exists(x, x == 2000)", items=long)
    assert "more than 5 of map" in refused("['a']" + ".map(x, x + x)" * 6)


def test_rendered_values_are_bounded() -> None:
    """A value that is filled in cannot grow beyond the limit; fixed text is the author's."""
    rendered = Rendered({"a": "${{ params.text }}" * 2}, SCOPE)
    assert len(rendered.render({"params.text": "ä" * 100_000})["a"]) == 200_000
    with pytest.raises(ExpressionError, match="more than 1024 KiB"):
        rendered.render({"params.text": "ä" * 300_000})
    assert Rendered("x" * 2_000_000, SCOPE).render({}) == "x" * 2_000_000


# Places in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $text {{ }} }}", "plain $text {{ }} }}"),
        ("${{ params.any }}", [1, {"a": None}]),
        ("is ${{ params.any }}!", 'is [1,{"a":null}]!'),
        ("${{params.count}}${{ params.count + 1 }}", "34"),
        ("${{ params.share }} of ${{ params.text }}", "0.5 of it"),
        ("${{ true }}/${{ false }}/${{ null }}.", "true/false/."),
        ("${{ params.count }}", 3),
        (" ${{ params.count }}", " 3"),
        ("${{ params.count\n  + 1 }}", 4),
        ('{"n": ${{ params.count }}}', '{"n": 3}'),
        ("${{ {'a': {'b': 1} } }}", {"a": {"b": 1}}),
    ],
)
def test_places_are_filled_in(text: str, expected: Any) -> None:
    """A string that is one place takes the value with its type; in a text it becomes text."""
    data = {
        "params.any": [1, {"a": None}],
        "params.count": 3,
        "params.share": 0.5,
        "params.text": "it",
    }
    assert Rendered(text, SCOPE).render(data) == expected


def test_places_are_found_at_every_depth() -> None:
    """Lists and maps are rendered item by item; keys and other values stay as they are."""
    rendered = Rendered(
        {"a": [{"${{ k }}": "${{ params.count }}"}], "b": ("n=${{ params.count }}", 1, None)}, SCOPE
    )
    assert rendered.needs == ("params.count",)
    assert rendered.render({"params.count": 2}) == {
        "a": [{"${{ k }}": 2}],
        "b": ["n=2", 1, None],
    }


def test_a_place_must_be_closed() -> None:
    """A place without its end is an error, not text."""
    with pytest.raises(ExpressionError, match="not closed"):
        Rendered("a ${{ params.text } b", SCOPE)
    with pytest.raises(ExpressionError, match="not closed"):
        Rendered("${{ params.text }} ${{", SCOPE)


def test_an_empty_place_is_an_error() -> None:
    """A place needs an expression."""
    with pytest.raises(ExpressionError):
        Rendered("${{ }}", SCOPE)


@settings(deadline=None)
@given(st.text())
def test_text_without_places_stays(text: str) -> None:
    """Any text that opens no place is rendered as it is."""
    if "${{" not in text:
        assert Rendered(text, SCOPE).render({}) == text


def test_names_and_sources_are_told() -> None:
    """What an expression mentions, in order and once each; what a text holds as expressions."""
    source = "params.text == 'params.no' && steps . a . output.b > size(params.text) // c"
    assert names_in(source) == ("params.text", "steps.a.output.b", "size")
    assert sources_in("a ${{ params.text }} b ${{x}}") == ["params.text", "x"]
    assert sources_in("nothing") == []


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("params.text", "string"),
        ("params.count + 1", "integer"),
        ("params.share", "number"),
        ("params.count > 1", "boolean"),
        ("params.items", "array"),
        ("{'a': 1}", "object"),
        ("params.any", None),
    ],
)
def test_the_type_of_a_result_is_told(source: str, kind: str | None) -> None:
    """As JSON Schema names it, where it is certain."""
    assert Compiled(source, SCOPE).json_type == kind


def test_expressions_of_a_value_are_told() -> None:
    """All of them, and which ones make a value by themselves, with their places."""
    scope = SCOPE.plus({"secrets.t": cel.Type.STRING})
    value = {
        "a": ["${{ params.count }}", 5],
        "b": "x ${{ params.text }}",
        "c": {"d": "${{ secrets.t }}"},
    }
    rendered = Rendered(value, scope)
    assert [one.source for one in rendered.expressions] == [
        "params.count",
        "params.text",
        "secrets.t",
    ]
    assert [(place, one.source) for place, one in rendered.wholes] == [(("a", 0), "params.count")]


def test_compiled_expressions_are_shared_and_bounded() -> None:
    """The same source over the same types is compiled once; over other types it is another
    expression; what was used longest ago is forgotten."""
    kept = Expressions(most_compiled=2, most_environments=1)
    other = Scope({"params.count": cel.Type.STRING})
    first = kept.compiled("params.count", SCOPE, ["params.count"])
    assert kept.compiled("params.count", SCOPE, ["params.count"]) is first
    assert kept.compiled("params.count", other, ["params.count"]) is not first
    assert kept.compiled("params.count", SCOPE, ["params.count"]) is first
    kept.compiled("params.count + 'a'", other, ["params.count"])
    kept.compiled("params.text", SCOPE, ["params.text"])
    assert kept.compiled("params.count", SCOPE, ["params.count"]) is not first
