"""What a template may say, and what it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.workflow.declared import Parameter
from shared.workflow.definition import OnLost, Template, version_key
from shared.workflow.program import compile_template
from tests.unit.workflow.scenario import step, template


def refused(*steps: dict[str, Any], **fields: Any) -> str:
    """Return why a template of these steps is refused."""
    with pytest.raises(ValidationError) as raised:
        template(*steps, **fields)
    return str(raised.value)


def test_the_smallest_template() -> None:
    """An id, a name and one step are enough; everything else has a default."""
    made = template(step("a"))
    assert (made.version, made.category, made.policies.approval_required) == (
        "1.0.0",
        "custom",
        False,
    )


def test_unknown_fields_are_refused() -> None:
    """A misspelt field is an error, at every depth."""
    assert "depend_on" in refused(step("a", depend_on=["b"]))
    assert "retries" in refused(step("a", retry={"retries": 3}))
    assert "stepz" in refused(step("a"), stepz=[])


def test_a_template_has_steps() -> None:
    """A template without steps is refused."""
    assert "steps" in refused()


@pytest.mark.parametrize("name", ["A", "1a", "a-b", "a.b", "", "a" * 64, "a\n", "in", "true"])
def test_step_ids_are_identifiers(name: str) -> None:
    """A step id must be usable as a name in an expression."""
    assert "steps.0.id" in refused(step(name))


def test_step_ids_are_unique() -> None:
    """Two steps cannot have the same id."""
    assert "'a' is used twice" in refused(step("a"), step("a"))


@pytest.mark.parametrize(
    "version",
    ["1.2.3", "0.0.0", "1.0.0-rc.1", "1.0.0-alpha", "1.0.0-x-y.0a", "1.0.0+b.01", "2.0.0-1+b"],
)
def test_semantic_versions(version: str) -> None:
    """Versions are those of semver 2.0."""
    assert template(step("a"), version=version).version == version


@pytest.mark.parametrize(
    "version",
    [
        *("1", "1.2", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0\n", "v1.0.0"),
        *("1.0.0+", "1.0.0-" + "a" * 200, "1.0.0-ü", "١.0.0"),
    ],
)
def test_other_versions_are_refused(version: str) -> None:
    """What semver 2.0 does not allow is refused, and so is what is very long."""
    assert "semantic version" in refused(step("a"), version=version)


def test_versions_are_ordered() -> None:
    """The example of semver 2.0, section 11, is in order."""
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "10.0.0",
    ]
    shuffled = [*ordered[1::2], *ordered[::2]]
    assert sorted(shuffled, key=version_key) == ordered
    assert version_key("1.0.0+a") == version_key("1.0.0+b")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({}, OnLost.FAIL),
        ({"idempotent": True}, OnLost.RERUN),
        ({"idempotent": True, "on_lost": "ask"}, OnLost.ASK),
        ({"on_lost": "rerun"}, OnLost.RERUN),
    ],
)
def test_what_happens_to_a_lost_step(fields: dict[str, Any], rule: OnLost) -> None:
    """Unless it is written, only an idempotent step runs again."""
    assert compile_template(template(step("a", **fields))).steps["a"].on_lost is rule


@pytest.mark.parametrize(
    ("fields", "required"),
    [
        ({}, True),
        ({"default": 1}, False),
        ({"default": None}, False),
        ({"required": False}, False),
        ({"required": True, "default": 1}, True),
    ],
)
def test_which_parameters_are_required(fields: dict[str, Any], required: bool) -> None:
    """A parameter is required unless it has a default or says that it is not."""
    assert Parameter.model_validate({"type": "integer", **fields}).is_required is required


def test_parameters_are_json_schema() -> None:
    """The parameters' schema holds what the author wrote, and allows nothing else."""
    made = template(
        step("a"),
        parameters={
            "name": {"type": "string", "minLength": 1, "examples": ["x"]},
            "size": {"type": "integer", "default": 3, "enum": [1, 3], "required": False},
        },
    )
    assert made.parameters_schema() == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "examples": ["x"]},
            "size": {"type": "integer", "default": 3, "enum": [1, 3]},
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def test_a_template_is_the_same_after_json() -> None:
    """Writing a template down and reading it gives the same template."""
    made = template(step("a", rollback={"command": "undo"}), step("b", "a"), tags=["x"])
    assert Template.model_validate_json(made.model_dump_json(by_alias=True)) == made


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout_s": 0},
        {"retry": {"max_attempts": 0}},
        {"retry": {"factor": 0.5}},
        {"retry": {"jitter": 2}},
        {"when": ""},
        {"when": "x" * 2_001},
        {"command": "Not A Slug"},
    ],
)
def test_bounds(fields: dict[str, Any]) -> None:
    """Times, retries and texts have bounds."""
    assert f"steps.0.{next(iter(fields))}" in refused(step("a", **fields))


UNDO = {"command": "undo"}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"rollback": UNDO, "irreversible": "mail is sent"}, "not both"),
        ({"capture": {"command": "look"}, "irreversible": "mail is sent"}, "needs no `capture`"),
        ({"rollback": {**UNDO, "verify": {}}}, "`condition`, a `command`"),
        (
            {"rollback": {**UNDO, "verify": {"condition": "true", "parameters": {"x": 1}}}},
            "give one",
        ),
    ],
)
def test_a_way_back_that_cannot_be(fields: dict[str, Any], why: str) -> None:
    """What contradicts itself is refused."""
    assert why in refused(step("a", **fields))


def test_checkpoints_have_names_of_their_own() -> None:
    """One name, one point; and the policy names one that there is."""
    assert "named twice" in refused(step("a", checkpoint="x"), step("b", checkpoint="x"))
    policy = {"rollback": {"strategy": "checkpoint", "to_checkpoint": "y"}}
    assert "no step has checkpoint 'y'" in refused(step("a", checkpoint="x"), policies=policy)
    graceful = {"rollback": {"to_checkpoint": "x"}}
    assert "strategy: checkpoint" in refused(step("a", checkpoint="x"), policies=graceful)


def test_an_approval_belongs_to_a_rule_that_asks_for_it() -> None:
    """A rule that lets run or refuses asks nobody."""
    rule = {"when": "true", "then": "run", "approval": {}}
    assert "then: approve" in refused(step("a"), policies={"validation": {"gate": [rule]}})
