"""The registry: what exists, and whether parameters fit."""

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.commands.reference import render
from shared.commands.registry import BUILTIN, CommandRegistry, UnknownCommandError
from shared.commands.spec import CommandSpec, Effects
from shared.commands.third_party import GROUP

REGISTRY = CommandRegistry.builtin()
ROOT = Path(__file__).parents[3]


def paths(name: str, parameters: dict[str, Any], *, allow_expressions: bool = False) -> list[str]:
    found = REGISTRY.check_parameters(name, parameters, allow_expressions=allow_expressions)
    return [problem.path for problem in found]


@pytest.mark.parametrize("spec", BUILTIN, ids=lambda spec: spec.name)
def test_examples_fit(spec: CommandSpec) -> None:
    """Every example in a specification has no problem."""
    assert spec.examples
    for example in spec.examples:
        assert paths(spec.name, example.parameters, allow_expressions=True) == []


def test_reference_is_current() -> None:
    """The reference in docs/ is what the registry says."""
    written = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert written == render(), "run: ./hv proto"


def test_schemas_have_their_bounds() -> None:
    """Bounds of optional parameters reach the JSON Schema."""
    assert REGISTRY["wait"].parameters["properties"]["seconds"]["minimum"] == 0
    assert REGISTRY["shell"].parameters["properties"]["argv"]["minItems"] == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?P<x>a)(?<=a)b"}}},
        {"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/of b"}}, "$defs": {"of b": {}}},
    ],
)
def test_sound_schemas_are_taken(schema: dict[str, Any]) -> None:
    """A schema is taken whether the quick check finds it sound or leaves it to the thorough one."""
    Draft202012Validator.check_schema(schema)
    made = REGISTRY["noop"].model_dump() | {"parameters": schema}
    assert CommandSpec.model_validate(made).parameters == schema


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"a": {"pattern": "("}}, "'(' is not a 'regex'"),
        ({"a": {"type": "sting"}}, "'sting' is not valid"),
        ({"a": {"minLength": -1}}, "-1 is less than the minimum"),
        ({"a": {"enum": {1, 2}}}, "not of type 'array'"),
    ],
)
def test_a_broken_schema_is_refused(properties: dict[str, Any], said: str) -> None:
    """What is no JSON Schema is refused, and the message says where it is wrong."""
    broken = {"type": "object", "properties": properties}
    with pytest.raises(ValidationError, match=re.escape(said)):
        CommandSpec.model_validate(REGISTRY["noop"].model_dump() | {"parameters": broken})


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("shell", {}, [""]),
        ("shell", {"argv": ["ls"], "script": "ls"}, [""]),
        ("shell", {"argv": []}, ["argv"]),
        ("shell", {"argv": ["a\x00b"]}, ["argv[0]"]),
        ("shell", {"argv": ["ls"], "expect_exit": [0, 256]}, ["expect_exit[1]"]),
        ("shell", {"argv": ["ls"], "env": {"A=B": "c"}}, ["env"]),
        ("wait", {"seconds": "5"}, ["seconds"]),
        ("wait", {"until": "tomorrow"}, ["until"]),
        ("wait", {"until": "2030-01-01T00:00:00"}, ["until"]),
        ("file", {"operation": "write", "path": "a"}, ["content"]),
        ("file", {"operation": "template", "path": "a"}, [""]),
        ("file", {"operation": "melt", "path": "a"}, ["operation"]),
        ("http", {"url": "ftp://host/"}, ["url"]),
        ("http", {"url": "http://host/", "json": 1, "body": "x"}, [""]),
    ],
)
def test_misfits_are_located(name: str, parameters: dict[str, Any], expected: list[str]) -> None:
    """Parameters that do not fit are reported where they are."""
    assert sorted(set(paths(name, parameters))) == expected


def test_unknown_parameter_suggests() -> None:
    """A misspelt parameter is answered with the right one, and its value is not repeated."""
    parameters = {"argv": ["ls"], "stdinn": "secret"}
    (problem,) = REGISTRY.check_parameters("shell", parameters)
    assert (problem.path, problem.fix) == ("stdinn", "did you mean 'stdin'?")
    assert "secret" not in repr(problem)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("shell", {"argv": "${{ params.argv }}"}),
        ("shell", {"argv": ["ls", "${{ params.dir }}"], "parse_json": "${{ params.flag }}"}),
        ("shell", {"argv": ["ls"], "expect_exit": ["${{ params.code }}"]}),
        ("http", {"url": "${{ params.base }}/health", "query": {"a": ["${{ x }}"]}}),
        ("http", {"url": "${{ params.url }}", "query": {"a": "${{ x }}"}}),
        ("wait", {"seconds": "${{ params.pause }}"}),
        ("file", {"operation": "${{ params.what }}", "path": "a"}),
    ],
)
def test_expressions_stand_for_any_type(name: str, parameters: dict[str, Any]) -> None:
    """Expressions are accepted when a template is defined."""
    assert paths(name, parameters, allow_expressions=True) == []


def test_expressions_are_values_at_run_time() -> None:
    """At run time an expression is text like any other, and no number."""
    assert paths("wait", {"seconds": "${{ params.pause }}"}) == ["seconds"]


@pytest.mark.parametrize("value", ["a ${{ x }}", "${{ x }} and ${{ y }}", "${{ x }}}} {{"])
def test_text_around_an_expression_stays_text(value: str) -> None:
    """Only a value that is one whole expression can become a number."""
    assert paths("wait", {"seconds": value}, allow_expressions=True) == ["seconds"]


def test_unknown_command_suggests() -> None:
    """An unknown command is answered with names that look alike."""
    with pytest.raises(
        UnknownCommandError, match="there is no command 'shel'; did you mean 'shell'"
    ):
        REGISTRY.check_parameters("shel", {})
    assert "shel" not in REGISTRY
    assert REGISTRY.get("shel") is None


def test_effects_depend_on_parameters() -> None:
    """A command that only reads has no effects; one whose parameter is open has the strongest."""
    file, http = REGISTRY["file"], REGISTRY["http"]
    assert file.effects_of({"operation": "read"}) is Effects.NONE
    assert file.effects_of({"operation": "write"}) is Effects.REVERSIBLE
    assert file.effects_of({"operation": "${{ params.what }}"}) is Effects.REVERSIBLE
    assert http.effects_of({"url": "http://host/"}) is Effects.NONE
    assert http.effects_of({"method": "POST"}) is Effects.IRREVERSIBLE


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Not A Name"},
        {"parameters": {"type": "nonsense"}},
        {"output": {"type": "array"}},
        {"capabilities": ("a b",)},
    ],
)
def test_malformed_specifications_are_refused(change: dict[str, Any]) -> None:
    """A specification with a malformed name or schema cannot be made."""
    whole = {**REGISTRY["noop"].model_dump(), **change}
    with pytest.raises(ValueError):
        CommandSpec.model_validate(whole)


def test_two_specs_of_one_name_are_refused() -> None:
    """A registry cannot hold two commands of one name."""
    with pytest.raises(ValueError, match="two commands are named 'noop'"):
        CommandRegistry([REGISTRY["noop"], REGISTRY["noop"]])


PLUGIN = """
import sys
from shared.commands.spec import CommandSpec
from shared.commands.noop import SPEC, NoopParameters

class Good:
    spec = SPEC.model_copy(update={"name": "acme-greet"})
    parameters = NoopParameters
    async def run(self, params, context):
        return params.echo()

class Clash(Good):
    spec = SPEC

class NoSpec:
    pass

class NoRun:
    spec = SPEC.model_copy(update={"name": "acme-other"})

class NeedsArguments(Good):
    def __init__(self, what):
        pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A third-party module on the import path."""
    (tmp_path / "acme_plugin.py").write_text(PLUGIN)
    (tmp_path / "acme_exits.py").write_text("import sys; sys.exit(3)")
    (tmp_path / "acme_breaks.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("acme_plugin", "acme_exits", "acme_breaks"):
        sys.modules.pop(name, None)
    return tmp_path


@pytest.mark.usefixtures("plugin")
def test_third_party_command_is_found() -> None:
    """A command of an entry point is in the registry like any other."""
    registry = CommandRegistry.installed([EntryPoint("greet", "acme_plugin:Good", GROUP)])
    assert "acme-greet" in registry
    assert registry.problems == ()


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("acme_plugin:Missing", "AttributeError"),
        ("acme_missing:Good", "ModuleNotFoundError"),
        ("acme_breaks:Good", "ZeroDivisionError"),
        ("acme_exits:Good", "SystemExit"),
        ("acme_plugin:NoSpec", "has no 'spec'"),
        ("acme_plugin:NoRun", "has no 'run'"),
        ("acme_plugin:NeedsArguments", "TypeError"),
        ("acme_plugin:Clash", "belongs to a built-in command"),
    ],
)
def test_broken_third_party_command_is_reported(target: str, reason: str) -> None:
    """A broken entry is reported with its reason; the others, and the process, go on."""
    good = EntryPoint("greet", "acme_plugin:Good", GROUP)
    registry = CommandRegistry.installed([EntryPoint("bad", target, GROUP), good])
    (problem,) = registry.problems
    assert reason in problem.message
    assert target in problem.origin
    assert "acme-greet" in registry


@pytest.mark.usefixtures("plugin")
def test_two_third_parties_claiming_one_name_are_both_refused() -> None:
    """Which one would run must not depend on the order of installation."""
    entries = [EntryPoint(name, "acme_plugin:Good", GROUP) for name in ("one", "two")]
    registry = CommandRegistry.installed(entries)
    assert "acme-greet" not in registry
    assert len(registry.problems) == 2


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(BUILTIN), st.data())
def test_what_is_found_quickly_to_fit_does_fit(spec: CommandSpec, data: st.DataObject) -> None:
    """The quick look and the thorough one agree, whatever is given: what has no problem by the
    first has none by the second."""
    example = data.draw(st.sampled_from(spec.examples)).parameters
    known = st.sampled_from(sorted({*spec.parameters.get("properties", {}), "other"}))
    given_ = {**example, **data.draw(st.dictionaries(known, _VALUES, max_size=3))}
    if paths(spec.name, given_) == []:
        assert list(Draft202012Validator(spec.parameters).iter_errors(given_)) == []
