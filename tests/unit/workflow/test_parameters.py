"""The parameters of a run."""

from typing import Any

import pytest

from shared.workflow.errors import ParameterError, Problem
from shared.workflow.parameters import (
    MAX_PARAMETERS_BYTES,
    prepare_parameters,
    schema_problems,
)
from tests.unit.workflow.scenario import step, template


def prepared(declared: dict[str, Any], **given: Any) -> dict[str, Any]:
    return prepare_parameters(template(step("a"), parameters=declared), given)


def refused(declared: dict[str, Any], **given: Any) -> list[Problem]:
    with pytest.raises(ParameterError) as raised:
        prepared(declared, **given)
    return list(raised.value.problems)


def misdeclared(**declared: Any) -> list[tuple[str, str]]:
    problems = schema_problems(template(step("a"), parameters=declared))
    return [(p.path, p.code) for p in problems]


def test_defaults_are_filled_in() -> None:
    """What is not given has its default; what has none is left out."""
    declared = {
        "name": {"type": "string"},
        "size": {"type": "integer", "default": 3},
        "nothing": {"type": "string", "default": None},
        "maybe": {"type": "string", "required": False},
    }
    assert prepared(declared, name="x") == {"name": "x", "size": 3, "nothing": None}


def test_null_means_not_given() -> None:
    """`null` for a parameter that may be absent gives its default, or leaves it out."""
    declared = {
        "size": {"type": "integer", "default": 3},
        "maybe": {"type": "string", "required": False},
    }
    assert prepared(declared, size=None, maybe=None) == {"size": 3}


def test_null_for_a_required_parameter_is_refused() -> None:
    """`null` is no value for a parameter that must be given."""
    (problem,) = refused({"name": {"type": "string"}}, name=None)
    assert problem.path == "parameters/name"


def test_every_problem_is_reported() -> None:
    """Missing, unknown and wrong parameters are reported together, one by one."""
    declared = {
        "a": {"type": "string"},
        "b": {"type": "string"},
        "n": {"type": "integer", "minimum": 1},
        "l": {"type": "array", "items": {"type": "integer"}},
    }
    problems = refused(declared, n=0, l=[1, "x"], typo=1)
    assert sorted((p.path, p.code) for p in problems) == [
        ("parameters/a", "missing_parameter"),
        ("parameters/b", "missing_parameter"),
        ("parameters/l/1", "invalid_parameter"),
        ("parameters/n", "invalid_parameter"),
        ("parameters/typo", "unknown_parameter"),
    ]
    assert [p.fix for p in problems if p.path == "parameters/n"] == ["must satisfy minimum: 1.0"]
    assert [p.fix for p in problems if p.path == "parameters/typo"] == [
        "known parameters: a, b, n, l"
    ]


def test_a_template_without_parameters() -> None:
    """What is given to a template that takes nothing is unknown."""
    (problem,) = refused({}, x=1)
    assert problem.fix == "known parameters: none"


def test_problems_inside_objects_have_their_path() -> None:
    """A missing or unknown field of an object parameter is named with its path."""
    declared = {
        "o": {
            "type": "object",
            "properties": {"p": {"type": "object", "required": ["q"]}},
        }
    }
    assert [p.path for p in refused(declared, o={"p": {}})] == ["parameters/o/p/q"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**63, "64 bits"),
        ([{"deep": -(2**64)}], "64 bits"),
        (float("nan"), "not finite"),
        ("\ud800", "not Unicode"),
        ({"\udfff": 1}, "not Unicode"),
    ],
)
def test_values_that_cannot_be_kept_are_refused(value: Any, words: str) -> None:
    """What Python's JSON reads and neither CEL nor the store can hold is refused at the door."""
    kinds = {int: "integer", list: "array", float: "number", str: "string", dict: "object"}
    (problem,) = refused({"v": {"type": kinds[type(value)]}}, v=value)
    assert words in problem.message


def test_parameters_are_bounded() -> None:
    """Very large parameters are refused with what to do instead."""
    (problem,) = refused({"text": {"type": "string"}}, text="ä" * (MAX_PARAMETERS_BYTES // 2))
    assert problem.code == "too_large"


def test_declarations_that_fit() -> None:
    """A default and examples that satisfy their own parameter are fine."""
    assert misdeclared(n={"type": "integer", "default": 1, "examples": [2], "minimum": 0}) == []


def test_declarations_are_checked() -> None:
    """A pattern or schema that is none, and a default or example that does not fit, are found."""
    assert misdeclared(
        bad_pattern={"type": "string", "pattern": "("},
        bad_items={"type": "array", "items": {"type": "strin"}},
        bad_default={"type": "integer", "default": "x"},
        bad_example={"type": "string", "enum": ["a"], "examples": ["a", "b"]},
    ) == [
        ("parameters/bad_pattern/pattern", "invalid_schema"),
        ("parameters/bad_items/items/type", "invalid_schema"),
        ("parameters/bad_default/default", "invalid_parameter"),
        ("parameters/bad_example/examples/1", "invalid_parameter"),
    ]
