"""Template files become templates, and templates become files that read back the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.templates.document import MAX_BYTES, TemplateFileError, describe
from shared.templates.loader import MAX_PROBLEMS, dump_yaml, load, load_file
from shared.workflow.definition import Template

SMALL = """\
id: greet
name: Greet
version: 1.2.0
parameters:
  who:
    type: string
    maxLength: 20
    default: "on"
steps:
  - id: say
    command: shell
    parameters:
      argv: [echo, "${{ params.who }}"]
policies:
  notifications:
    - on: [failed]
      severity: warning
"""


def sentences(text: str) -> list[str]:
    """Every problem of a text that must be refused, as sentences."""
    with pytest.raises(TemplateFileError) as caught:
        load(text)
    return [describe(problem) for problem in caught.value.placed]


def test_yaml_and_json_give_the_same_template() -> None:
    """The two forms are one language."""
    template = load(SMALL)
    data = template.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert load(json.dumps(data)) == template
    assert template.parameters["who"].max_length == 20
    assert template.policies.notifications[0].on == ("failed",)


def test_problems_have_places_and_remedies() -> None:
    """A misspelt field, a missing one and a wrong type each say where they are and what to do."""
    text = SMALL.replace("command: shell", "comand: shell").replace("1.2.0", "1.2")
    assert sentences(text) == [
        "line 3, column 1: version: must be: a valid string (put it in quotes)",
        "line 10, column 5: steps/0/command: Field required (add command)",
        "line 11, column 5: steps/0/comand: there is no such field (did you mean command?)",
    ]


def test_a_rule_of_the_model_is_told_as_it_is() -> None:
    """Validators' own sentences come through."""
    text = SMALL + "\n".replace("\n", "")
    twice = text.replace("steps:\n", "steps:\n  - {id: say, command: noop}\n")
    assert "step id 'say' is used twice; ids must be unique" in sentences(twice)[0]


def test_problems_are_bounded() -> None:
    """A thousand mistakes give a bounded answer."""
    steps = ", ".join('{"id": "A"}' for _ in range(1000))
    assert len(sentences(f'{{"id": "x", "name": "x", "steps": [{steps}]}}')) == MAX_PROBLEMS


def test_text_that_is_no_map_is_refused() -> None:
    """A list is valid YAML and no template."""
    assert "valid dictionary" in sentences("- a\n")[0]


def test_files_are_read_with_a_bound(tmp_path: Path) -> None:
    """A huge file is refused without being read whole; other encodings are named."""
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"\xc3\xa9" * MAX_BYTES)
    with pytest.raises(TemplateFileError, match="larger than"):
        load_file(huge)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("id: a\nname: é\n".encode("latin-1"))
    with pytest.raises(TemplateFileError, match="line 2, column 1: byte 13 is not UTF-8"):
        load_file(latin)


def test_dump_reads_back() -> None:
    """What was not written stays out, and what was comes back."""
    text = dump_yaml(load(SMALL))
    assert load(text) == load(SMALL)
    assert "category" not in text
    assert "'on'" in text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["1e3", "0o17", "010", "on", "yes", "~", "", "1_000", "+1", "12:30", "a\n"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(value=json_values)
def test_any_parameter_value_survives_a_round_trip(value: Any) -> None:
    """Whatever JSON a step's parameters hold, writing and reading gives it back."""
    data = {"id": "a", "name": "a", "steps": [{"id": "s", "command": "noop"}]}
    template = Template.model_validate(data | {"outputs": {"value": value}})
    assert load(dump_yaml(template)).outputs["value"] == value
