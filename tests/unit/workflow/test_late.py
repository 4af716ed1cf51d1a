"""Secrets in parameters: left as written, with all that an agent needs to evaluate them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.workflow import events as ev
from shared.workflow.errors import DefinitionError, ExpressionError, Problem
from shared.workflow.expressions import MAX_RENDERED_BYTES
from shared.workflow.late import (
    LateParameters,
    evaluate_late,
    late_parameters,
    mentions_secrets,
    secrets_in,
)
from shared.workflow.program import compile_template
from tests.unit.workflow.scenario import Run, step, template

SECRETS = {"TOKEN": "s3cret", "OTHER": "else"}
PARAMETERS = {
    "who": {"type": "string", "default": "anna"},
    "share": {"type": "number", "default": 1},
}


def scheduled(value: Any, **given_parameters: Any) -> ev.StepScheduled:
    """What is offered for a step with this parameter."""
    run = Run(step("a", parameters={"x": value}), parameters=PARAMETERS)
    run.request(**{"who": "anna", "share": 1, **given_parameters})
    return run.the(ev.StepScheduled)


def late_of(event: ev.StepScheduled) -> LateParameters:
    """As it reaches the agent: through JSON."""
    assert event.late is not None
    return LateParameters.model_validate_json(event.late.model_dump_json())


def problems(**fields: Any) -> list[Problem]:
    """What is wrong with a template of one step; `outputs` and `triggers` are the template's."""
    rest = {k: fields.pop(k) for k in ("outputs", "triggers") if k in fields}
    with pytest.raises(DefinitionError) as caught:
        compile_template(template(step("a", **fields), **rest))
    return list(caught.value.problems)


def test_a_secret_stays_as_it_was_written() -> None:
    """The offer holds the author's text, which secrets it uses, and the values of what else it
    uses; what stands beside it is filled in as ever."""
    text = "${{ 'Bearer ' + secrets.TOKEN + ' of ' + params.who }}"
    event = scheduled([text, {"k": "${{ params.who }}"}])
    assert event.parameters == {"x": [text, {"k": "anna"}]}
    assert late_of(event) == LateParameters(
        places=(("x", 0),),
        secrets=("TOKEN",),
        names=("params.who",),
        values={"params.who": "anna"},
    )


def test_without_secrets_nothing_is_late() -> None:
    """A step without secrets is offered as ever, also when a text or a literal speaks of them."""
    for value in ("${{ params.who }}", "secrets.TOKEN", "${{ 'secrets.TOKEN' }}"):
        assert scheduled(value).late is None


@pytest.mark.parametrize(
    ("text", "value", "secret"),
    [
        ("${{ secrets.TOKEN }}", "s3cret", ["s3cret"]),
        ("a ${{ secrets.TOKEN }} b ${{ params.who }}", "a s3cret b anna", ["s3cret"]),
        ("${{ params.who + secrets.TOKEN }}", "annas3cret", ["annas3cret"]),
        ("${{ secrets.TOKEN.replace('s', 'z') }}", "z3cret", ["z3cret"]),
        ("${{ [secrets.TOKEN, secrets.OTHER] }}", ["s3cret", "else"], [["s3cret", "else"]]),
        ("${{ secrets.TOKEN.size() > 3 }}", True, [True]),
        ("${{ secrets.TOKEN }}${{ secrets.OTHER }}", "s3cretelse", ["s3cret", "else"]),
        ("${{ secrets.TOKEN + string(params.share / 2.0) }}", "s3cret0.5", ["s3cret0.5"]),
    ],
)
def test_an_agent_evaluates_it(text: str, value: Any, secret: list[Any]) -> None:
    """With the secrets the text has the value that its author meant, a whole number for a fraction
    included, and whatever an expression made of a secret is named as secret."""
    late = late_of(scheduled(text))
    made = evaluate_late(text, late, {name: SECRETS[name] for name in late.secrets})
    assert (made.value, list(made.secret)) == (value, secret)


def test_what_else_is_secret_taints_too() -> None:
    """An expression that uses another secret value, in a text with a secret, is as secret."""
    text = "${{ secrets.TOKEN }} ${{ params.who.upperAscii() }}"
    late = late_of(scheduled(text))
    assert evaluate_late(text, late, SECRETS, ["params.who"]).secret == ("s3cret", "ANNA")


def test_a_value_is_no_expression() -> None:
    """A parameter of the run that looks like an expression is text, here and on the agent."""
    asked = "${{ secrets.OTHER }}"
    event = scheduled(["${{ params.who }}", "${{ secrets.TOKEN }} ${{ params.who }}"], who=asked)
    late = late_of(event)
    assert event.parameters["x"][0] == asked
    assert (late.places, late.secrets) == ((("x", 1),), ("TOKEN",))
    assert evaluate_late(event.parameters["x"][1], late, SECRETS).value == f"s3cret {asked}"


@given(st.text(), st.text())
def test_no_value_leads_to_another_secret(who: str, token: str) -> None:
    """Whatever stands in a value or in a secret, it comes out as it is."""
    text = "${{ secrets.TOKEN }}|${{ params.who }}"
    late = LateParameters(
        places=(("x",),), secrets=("TOKEN",), names=("params.who",), values={"params.who": who}
    )
    assert evaluate_late(text, late, {"TOKEN": token}).value == f"{token}|{who}"


def test_what_is_missing_fails_on_the_agent_only() -> None:
    """A field that an output lacks is no name that the agent does not know: the expression fails,
    and says that there is no value."""
    text = "${{ secrets.TOKEN + steps.a.output.gone }}"
    run = Run(step("a"), step("b", "a", parameters={"x": text}))
    run.request()
    run.succeed("a", there="x")
    late = late_of(run.the(ev.StepScheduled))
    with pytest.raises(ExpressionError, match="gone"):
        evaluate_late(text, late, SECRETS)


def test_what_an_agent_needs_is_bounded() -> None:
    """Values that are too large for a task fail the step, like parameters that are."""
    run = Run(step("a", parameters={"x": "${{ secrets.T + params.who }}"}), parameters=PARAMETERS)
    run.request(who="x" * MAX_RENDERED_BYTES, share=1)
    assert run.status == "failed"
    late = LateParameters(places=(("x",),), secrets=("T",))
    with pytest.raises(ExpressionError, match="the whole takes more"):
        evaluate_late("${{ secrets.T }}", late, {"T": "x" * MAX_RENDERED_BYTES})


def test_secrets_are_texts() -> None:
    """A secret is type-checked as text, and must be named: the whole of them is no value."""
    (problem,) = problems(parameters={"x": "${{ secrets.TOKEN + 1 }}"})
    assert (problem.path, problem.code) == ("steps/0/parameters/x", "expression_error")
    assert "no matching overload" in problem.message
    for text in ("${{ secrets }}", "${{ secrets['TOKEN'] }}"):
        (problem,) = problems(parameters={"x": text})
        assert "undeclared reference to 'secrets'" in problem.message


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("steps/0/when", {"when": "secrets.TOKEN == 'a'"}),
        ("steps/0/target/host", {"target": {"host": "${{ secrets.TOKEN }}"}}),
        ("steps/0/success_criteria/0", {"success_criteria": ["output.x == secrets.TOKEN"]}),
        ("steps/0/validation_checks/0", {"validation_checks": ["output.x == secrets['T']"]}),
        ("outputs/x", {"outputs": {"x": "${{ secrets.TOKEN }}"}}),
        (
            "triggers/0/condition",
            {"triggers": [{"kind": "manual", "condition": "secrets.TOKEN == 'a'"}]},
        ),
    ],
)
def test_where_no_agent_is_there_is_no_secret(path: str, fields: dict[str, Any]) -> None:
    """A secret anywhere but in a step's parameters is refused, with the place and what to do."""
    (problem,) = problems(**fields)
    assert (problem.path, problem.code) == (path, "secret_misplaced")
    assert "secrets" in problem.message
    assert problem.fix


def test_secrets_are_found_where_they_stand() -> None:
    """Each mention is found with its place; what only looks like one is not."""
    value = {
        "a": ["x", "${{ secrets.ONE + secrets . TWO }}"],
        "b": "${{ steps.secrets.output }} ${{ 'secrets.NO' }} secrets.NO",
        "c": 7,
    }
    assert list(secrets_in(value)) == [(("a", 1), "ONE"), (("a", 1), "TWO")]
    assert mentions_secrets("secrets['x'] == 'a'")
    assert not mentions_secrets("params.secrets == 'secrets'")


def test_each_leg_is_offered_with_what_it_needs() -> None:
    """A step that waits and goes on is given its secrets again."""
    assert not late_parameters(compile_template(template(step("b"))).steps["b"].parameters, {})
    run = Run(step("a", parameters={"x": "${{ secrets.TOKEN }}"}))
    run.request()
    first = run.the(ev.StepScheduled).late
    run.start("a")
    run.defer("a")
    run.wake("a")
    assert run.the(ev.StepScheduled).late == first is not None
