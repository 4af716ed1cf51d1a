"""A template made ready to run: every problem is found before, with its path."""

import time
from typing import Any

import pytest

from shared.workflow.definition import Template
from shared.workflow.errors import DefinitionError
from shared.workflow.program import CommandSignature, Program, compile_template
from tests.unit.workflow.scenario import step, template

COMMANDS = {
    "http": CommandSignature(
        output={
            "properties": {"status": {"type": "integer"}, "body": {"type": "string"}, "json": {}},
            "required": ["status", "ghost"],
        },
        capabilities=("net",),
    )
}


def compiled(*steps: dict[str, Any], **fields: Any) -> Program:
    return compile_template(template(*steps, **fields), COMMANDS)


def problems(*steps: dict[str, Any], **fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionError) as raised:
        compiled(*steps, **fields)
    return [(p.path, p.code) for p in raised.value.problems]


def test_every_problem_is_found_at_once() -> None:
    """All expressions of a template are checked, and each bad one is named with its path."""
    assert problems(
        step("a", when="params.nope", parameters={"x": 1, "bad": ["${{ steps.b.status }}"]}),
        step(
            "b",
            "a",
            target={"host": "${{ nobody }}"},
            validation_checks=["true", "output.x +"],
            success_criteria=["output.n", "1 + 1"],
            when="'text'",
        ),
        outputs={"fine": "${{ steps.b.status }}", "bad": "${{ steps.c.status }}"},
        triggers=[
            {"kind": "manual"},
            {"kind": "monitoring_alert", "condition": "event.severity == 'high'"},
            {"kind": "monitoring_alert", "condition": "params.x"},
        ],
        parameters={"p": {"type": "string", "pattern": "["}},
    ) == [
        ("parameters/p/pattern", "invalid_schema"),
        ("steps/0/when", "expression_error"),
        ("steps/0/parameters/bad/0", "expression_error"),
        ("steps/1/when", "not_a_condition"),
        ("steps/1/target/host", "expression_error"),
        ("steps/1/validation_checks/1", "expression_error"),
        ("steps/1/success_criteria/1", "not_a_condition"),
        ("outputs/bad", "expression_error"),
        ("triggers/2/condition", "expression_error"),
    ]


def test_a_bad_graph_is_reported_alone() -> None:
    """Without a graph nothing else can be judged."""
    assert problems(step("a", "a", when="nonsense")) == [("steps", "cyclic_dependencies")]


def test_only_steps_before_can_be_used() -> None:
    """A step sees the steps that it depends on, directly or not, and no others."""
    compiled(step("a"), step("b", "a"), step("c", "b", when="steps.a.status == 'completed'"))
    assert problems(step("a"), step("b", when="steps.a.status == 'completed'")) == [
        ("steps/1/when", "expression_error")
    ]
    assert problems(step("a", when="steps.a.status == ''")) == [
        ("steps/0/when", "expression_error")
    ]


@pytest.mark.parametrize(
    ("criterion", "is_fine"),
    [
        ("output.status == 200", True),
        ("output.status == '200'", False),
        ("output.json.deep == 'x'", True),
        ("output.body == 1", True),
        ("size(output) > 1", True),
    ],
)
def test_outputs_have_the_types_of_their_command(criterion: str, is_fine: bool) -> None:
    """A field that is always there is checked with its type, any other one is not."""
    fetch = step("a", success_criteria=[criterion]) | {"command": "http"}
    if is_fine:
        compiled(fetch)
    else:
        assert problems(fetch) == [("steps/0/success_criteria/0", "expression_error")]


def test_parameters_have_their_types() -> None:
    """A parameter that always has a value has its type; one that may be null has any."""
    declared = {
        "given": {"type": "integer"},
        "default": {"type": "string", "default": "x"},
        "nothing": {"type": "string", "default": None},
        "maybe": {"type": "string", "required": False},
    }
    compiled(step("a", when="params.nothing == null || params.maybe != null"), parameters=declared)
    for name, other in (("given", "'x'"), ("default", "1")):
        condition = f"params.{name} == {other}"
        assert problems(step("a", when=condition), parameters=declared) == [
            ("steps/0/when", "expression_error")
        ]


def test_capabilities_are_those_of_step_and_command() -> None:
    """An agent needs what the step asks for and what its command needs."""
    program = compiled(step("a", required_capabilities=["gpu"]) | {"command": "http"}, step("b"))
    assert program.steps["a"].capabilities == ("gpu", "net")
    assert program.steps["b"].capabilities == ()


def test_what_changes_nothing_may_run_again() -> None:
    """A lost step runs again where its command has no effects with its parameters, unless its
    author says otherwise."""
    read_only = CommandSignature(output={}, effect_free=lambda p: p.get("method") == "GET")
    steps = (
        step("read", command="http", parameters={"method": "GET"}),
        step("write", command="http", parameters={"method": "PUT"}),
        step("asks", command="http", parameters={"method": "GET"}, on_lost="ask"),
        step("unknown", command="other"),
    )
    made = compile_template(template(*steps), {"http": read_only}).steps
    rules = {name: compiled.on_lost.value for name, compiled in made.items()}
    assert rules == {"read": "rerun", "write": "fail", "asks": "ask", "unknown": "fail"}


def test_a_compensation_may_use_what_was_captured_and_returned() -> None:
    """Its expressions are compiled with the step's own, `output` and `captured`."""
    undo = {
        "command": "undo",
        "parameters": {"x": "${{ captured.stdout }}", "y": "${{ output.id }}"},
        "verify": {"condition": "output.ok == captured.ok"},
    }
    program = compiled(step("a", capture={"command": "look"}, rollback=undo))
    way = program.steps["a"].way_back
    assert way.capture is not None
    assert way.parameters is not None
    assert (way.verify, way.condition is not None) == (None, True)


@pytest.mark.parametrize(
    ("undo", "path"),
    [
        ({"command": "undo", "parameters": {"x": "${{ y }}"}}, "steps/0/rollback/parameters/x"),
        (
            {"command": "undo", "verify": {"command": "look", "parameters": {"x": "${{ y }}"}}},
            "steps/0/rollback/verify/parameters/x",
        ),
        (
            {"command": "undo", "verify": {"condition": "1 + 1"}},
            "steps/0/rollback/verify/condition",
        ),
    ],
)
def test_what_is_wrong_with_a_compensation_is_found(undo: dict[str, Any], path: str) -> None:
    """Before anything runs, and with its place."""
    with pytest.raises(DefinitionError) as raised:
        compiled(step("a", rollback=undo))
    assert [problem.path for problem in raised.value.problems] == [path]


def test_large_templates_compile_in_time() -> None:
    """The largest template, a chain of steps that use the one before, compiles in seconds."""
    steps = [
        step(
            f"s{n}",
            *([f"s{n - 1}"] if n else []),
            parameters={"n": f"${{{{ steps.s{n - 1}.output.n + 1 }}}}"} if n else {},
        )
        for n in range(1_000)
    ]
    large = Template.model_validate({"id": "t", "name": "T", "steps": steps})
    before = time.process_time()
    compile_template(large)
    assert time.process_time() - before < 5
