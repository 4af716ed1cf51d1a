"""Parameters from the command line become the types that the template declares."""

from pathlib import Path
from typing import Any

import pytest

from services.cli.outcome import CliError
from services.cli.values import parameters_of, read_parameters

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "level": {"type": "string", "enum": ["low", "high"]},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "force": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "ports": {"type": "array", "items": {"type": "integer"}},
        "extra": {"type": "object"},
    },
}


def test_each_type_is_read_as_declared() -> None:
    """Text stays text even if it looks like a number; everything else is parsed."""
    given = [
        "text=42=x",
        "count=-3",
        "ratio=2.5",
        "force=Yes",
        'tags=["a b"]',
        "ports=80",
        "ports=443",
        'extra={"a": [1]}',
    ]
    assert parameters_of(given, SCHEMA) == {
        "text": "42=x",
        "count": -3,
        "ratio": 2.5,
        "force": True,
        "tags": ["a b"],
        "ports": [80, 443],
        "extra": {"a": [1]},
    }


@pytest.mark.parametrize(
    ("given", "field", "message", "fix"),
    [
        ("text", "text", "is not name=value", "-p name=value"),
        ("txt=1", "txt", "no such parameter", "did you mean text?"),
        ("qqq=1", "qqq", "no such parameter", "it takes: text, level"),
        ("count=1.5", "-p count", "'1.5' is not a whole number", "such as 3"),
        ("count=1_0", "-p count", "is not a whole number", ""),
        ("ratio=abc", "-p ratio", "'abc' is not a number", "such as 2.5"),
        ("ratio=NaN", "-p ratio", "is not a number", ""),
        ("ratio=1e999", "-p ratio", "is not a number", ""),
        ("ratio=true", "-p ratio", "is not a number", ""),
        ("force=maybe", "-p force", "neither true nor false", "true or false"),
        ("extra=[1]", "-p extra", "is not a JSON map", "single quotes"),
        ("extra={", "-p extra", "is not JSON", ""),
        ("tags=[1", "-p tags", "is not JSON", "one -p per item"),
        ("ports=x", "-p ports", "is not a whole number", ""),
    ],
)
def test_what_does_not_fit_is_named(given: str, field: str, message: str, fix: str) -> None:
    """Every problem names the parameter and says what to write."""
    with pytest.raises(CliError) as caught:
        parameters_of([given], SCHEMA)
    (problem,) = caught.value.fields
    assert problem.field == field
    assert message in problem.message
    assert fix in problem.fix


def test_all_problems_come_at_once() -> None:
    """One try is enough to see everything that is wrong."""
    with pytest.raises(CliError) as caught:
        parameters_of(["count=x", "nope=1", "text=a", "text=b"], SCHEMA, {"other": 1})
    assert len(caught.value.fields) == 4
    assert "-p text: is given more than once" in caught.value.sentences()


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """A file holds the usual values, `-p` the one that differs today."""
    path = tmp_path / "p.yaml"
    path.write_text("text: from file\ncount: 3\n", encoding="utf-8")
    assert parameters_of(["text=typed"], SCHEMA, read_parameters(path)) == {
        "text": "typed",
        "count": 3,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [("- 1\n", "must hold a map"), ("a: &x 1\nb: *x\n", "aliases"), ("a: 1\na: 2\n", "twice")],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """The bounded reader guards this door too."""
    path = tmp_path / "p.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CliError, match=message):
        read_parameters(path)
    with pytest.raises(CliError, match="cannot be read"):
        read_parameters(tmp_path / "absent.yaml")
