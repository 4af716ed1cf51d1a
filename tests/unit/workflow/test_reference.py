"""The reference pages say what the code does: their examples are run."""

import json
import re
from pathlib import Path

import pytest
from cel_expr_python import cel

from shared.templates.document import parse
from shared.workflow import (
    attempts,
    declared,
    definition,
    expressions,
    failing,
    fleets,
    flow,
    parameters,
    retry_rule,
    validation_policy,
    way_back,
)
from shared.workflow.definition import Template
from shared.workflow.expressions import Compiled, Rendered, Scope
from shared.workflow.program import compile_template

DOCS = Path(__file__).resolve().parents[3] / "docs/reference"
TEMPLATES = (DOCS / "templates.md").read_text(encoding="utf-8")
EXPRESSIONS = (DOCS / "expressions.md").read_text(encoding="utf-8")
CONTROL_FLOW = (DOCS / "control-flow.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEMPLATES + CONTROL_FLOW, re.DOTALL)
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", EXPRESSIONS.partition("## Examples")[2], re.M)
SCOPE = Scope(
    {
        "params.region": cel.Type.STRING,
        "params.count": cel.Type.INT,
        "params.share": cel.Type.DOUBLE,
        "params.tags": cel.Type.List(cel.Type.STRING),
        "steps.fetch.status": cel.Type.STRING,
        "steps.fetch.output": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "steps.fetch.output.status": cel.Type.INT,
    }
)
VALUES = {
    "params.region": "eu",
    "params.count": 3,
    "params.share": 0.5,
    "params.tags": ["a", "b"],
    "steps.fetch.status": "completed",
    "steps.fetch.output": {"status": 200, "json": {"ready": True}},
    "steps.fetch.output.status": 200,
}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_templates_compile(block: str) -> None:
    """Every template of the page is valid."""
    compile_template(Template.model_validate(parse(block).value))


@pytest.mark.parametrize(("source", "shown"), ROWS)
def test_examples_have_their_values(source: str, shown: str) -> None:
    """Every expression of the page has the value that stands beside it."""
    value = Compiled(source, SCOPE).evaluate(VALUES)
    assert value == json.loads(shown)
    assert type(value) is type(json.loads(shown))


def test_the_pages_have_examples() -> None:
    """The examples are found, so that the tests above are not empty."""
    assert len(BLOCKS) == 13
    assert len(ROWS) == 17
    assert Rendered("${{ {'a': {'b': 1} } }}", SCOPE).render({}) == {"a": {"b": 1}}


def test_every_field_is_documented() -> None:
    """The page names every field of every model of a template."""
    models = (
        definition.Template,
        declared.Parameter,
        definition.Step,
        fleets.Target,
        fleets.RateLimit,
        retry_rule.Retry,
        definition.Policies,
        definition.Notification,
        definition.Trigger,
        validation_policy.GateRule,
        validation_policy.Suppression,
        validation_policy.ValidationPolicy,
        way_back.Capture,
        way_back.RollbackAction,
        way_back.RollbackPolicy,
        way_back.Verify,
        flow.Call,
        flow.Case,
        flow.Foreach,
        flow.Milestone,
        flow.Switch,
        flow.Until,
        flow.WaitFor,
        flow.WaitOption,
    )
    names = {field.alias or name for m in models for name, field in m.model_fields.items()}
    assert sorted(name for name in names if not _is_named(name)) == []


def _is_named(name: str) -> bool:
    """In the text as `name`, or in an example as a key."""
    page = TEMPLATES + CONTROL_FLOW
    return f"`{name}`" in page or bool(re.search(rf"[{{\s]{name}:", page))


def test_the_bounds_are_those_of_the_code() -> None:
    """The numbers of the pages are the constants."""
    assert f"{expressions.MAX_SOURCE:,} characters, 32 levels" in EXPRESSIONS
    assert f"| {expressions.MAX_BUILDERS} in one expression |" in EXPRESSIONS
    assert f"| {expressions.MAX_BUILD_ITEMS:,} items |" in EXPRESSIONS
    assert f"| {expressions.MAX_RENDERED_BYTES // 2**20} MiB as JSON |" in EXPRESSIONS
    assert f"at most {parameters.MAX_PARAMETERS_BYTES // 1024} KiB as JSON" in TEMPLATES
    assert f"at most {failing.MAX_OUTPUT_BYTES // 2**20} MiB" in TEMPLATES
    assert f"most {attempts.MAX_LOST_RERUNS} times" in TEMPLATES
    assert f"1 to {definition.MAX_STEPS:,}" in TEMPLATES
    assert f"at most {definition.MAX_PARAMETERS} |" in TEMPLATES
    assert f"at most {definition.MAX_TEXT:,} characters" in TEMPLATES
