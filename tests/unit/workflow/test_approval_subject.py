"""What an approval is about: what the subject holds, and what its hash depends on."""

import hashlib
import json
from typing import Any

import pytest

from shared.workflow.approval_subject import ApprovalSubject, subject_of
from shared.workflow.errors import DefinitionError
from shared.workflow.program import compile_template
from tests.unit.workflow.scenario import Run, step, template

SEALED = "sealed:v1:gAAAAABsecretsecret=="
WHO = {"who": {"type": "string"}, "n": {"type": "integer", "default": 1}}


def shown(run: Run, gate: str = "workflow") -> ApprovalSubject:
    return subject_of(run.program, run.state, gate, run.gate(gate))


def test_the_hash_is_that_of_the_canonical_text() -> None:
    """Whoever is shown the subject as JSON can make the same hash of it."""
    run = Run(step("a", parameters={"é": [1, 2.5, None]}), policies={"approval": {}})
    run.request()
    sent = json.loads(shown(run).model_dump_json())
    text = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == run.gate().subject_hash


def test_commands_stand_as_they_will_run() -> None:
    """What is known is filled in; what depends on steps that have not run stands as written."""
    run = Run(
        step("a", parameters={"to": "${{ params.who }}", "n": "${{ params.n }}"}),
        step(
            "b",
            "a",
            parameters={"x": ["${{ steps.a.output.y }} for ${{ params.who }}", 7]},
            target={"host": "${{ params.who }}-1", "labels": {"zone": "a"}},
            when="params.n == 1",
        ),
        parameters=WHO,
        policies={"approval": {}},
    )
    run.request(who="web", n=1)
    first, second = shown(run).steps
    assert (first.parameters, first.host) == ({"to": "web", "n": 1}, None)
    assert second.parameters == {"x": ["${{ steps.a.output.y }} for web", 7]}
    assert (second.host, second.labels, second.when) == ("web-1", {"zone": "a"}, "params.n == 1")
    assert shown(run).parameters == {"who": "web", "n": 1}


def test_a_step_is_shown_with_the_outputs_before_it() -> None:
    """At the gate of a step everything before it has run, so nothing is left open."""
    run = Run(step("a"), step("b", "a", parameters={"x": "${{ steps.a.output.y }}"}, approval={}))
    run.request()
    run.succeed("a", y=5)
    assert shown(run, "b").steps[0].parameters == {"x": 5}
    assert [one.id for one in shown(run, "b").steps] == ["b"]


def test_what_cannot_be_made_yet_stands_as_written() -> None:
    """An expression that fails on what is known is shown as it was written."""
    run = Run(
        step("a", parameters={"x": "${{ 10 / (params.n - 1) }}"}),
        parameters=WHO,
        policies={"approval": {}},
    )
    run.request(who="web", n=1)
    assert shown(run).steps[0].parameters == {"x": "${{ 10 / (params.n - 1) }}"}


def test_no_secret_is_in_it() -> None:
    """A sealed value stands by a digest of its seal, so that another one is another subject."""
    run = Run(
        step("a", parameters={"x": "Bearer ${{ params.who }}"}),
        parameters=WHO,
        policies={"approval": {}},
    )
    run.request(who=SEALED, n=1)
    text = shown(run).model_dump_json()
    assert "sealed:v1" not in text
    assert shown(run).steps[0].parameters["x"].startswith("Bearer seal:sha256:")
    other = Run(step("a"), parameters=WHO, policies={"approval": {}})
    other.request(who=SEALED + "x", n=1)
    assert other.gate().subject_hash != run.gate().subject_hash


def test_everything_that_decides_what_runs_is_bound() -> None:
    """Another command, target, timeout, parameter, version or round is another hash."""
    base: dict[str, Any] = {"parameters": {"x": 1}}
    variants: list[dict[str, Any]] = [
        {},
        {"parameters": {"x": 2}},
        {"command": "shell"},
        {"timeout_s": 9},
        {"target": {"host": "h"}},
        {"target": {"labels": {"a": "b"}}},
        {"required_capabilities": ["docker"]},
        {"when": "true || false"},
    ]
    hashes = set()
    for variant in variants:
        run = Run(step("a", **{**base, **variant}), policies={"approval": {}})
        run.request()
        hashes.add(run.gate().subject_hash)
    again = subject_of(run.program, run.state, "workflow", run.gate())
    hashes |= {
        again.model_copy(update=change).digest
        for change in (
            {"round": 2},
            {"template_version": "9.9.9"},
            {"execution_id": "x2"},
            {"gate": "other"},
            {"input": {"a": 1}},
        )
    }
    assert len(hashes) == len(variants) + 5


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([step("a", approval={"form": {"n": {"type": "integer", "default": "x"}}})], "form/n"),
        ([step("a", parameters={"x": "${{ approvals.a.input.m }}"}, approval={})], "undeclared"),
        (
            [
                step(
                    "a",
                    when="approvals.a.input.ok",
                    approval={"form": {"ok": {"type": "boolean"}}},
                )
            ],
            "undeclared",
        ),
    ],
)
def test_forms_and_their_uses_are_checked(steps: list[dict[str, Any]], problem: str) -> None:
    """A form that cannot work, and a use of what nobody fills in before, are errors when stored."""
    with pytest.raises(DefinitionError, match=problem):
        compile_template(template(*steps))


def test_input_is_for_the_step_and_those_after_it() -> None:
    """What is filled in at a step's gate is typed, and used by the step, later ones and outputs."""
    form = {"ok": {"type": "boolean"}}
    run = Run(
        step("a", parameters={"ok": "${{ approvals.a.input.ok }}"}, approval={"form": form}),
        step("b", "a", when="approvals.a.input.ok"),
        outputs={"ok": "${{ approvals.a.input.ok }}"},
    )
    run.request()
    assert shown(run, "a").steps[0].parameters == {"ok": "${{ approvals.a.input.ok }}"}
    run.vote("bob", "a", input={"ok": True})
    run.succeed("a")
    run.succeed("b")
    assert run.state.outputs == {"ok": True}
