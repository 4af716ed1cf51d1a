"""Definitions that are meant to harm who reads them: refused within bounds, and clearly."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from shared.commands.registry import CommandRegistry
from shared.templates.document import MAX_BYTES, MAX_DEPTH
from shared.validation.finding import Report
from shared.validation.fixing import mend
from shared.validation.shell import MAX_SCRIPT, parse_script
from shared.validation.subject import subject_of_data, subject_of_text
from shared.validation.validate import validate
from shared.workflow.definition import MAX_STEPS, Template

COMMANDS = CommandRegistry.builtin()
HEAD = "id: h\nname: H\nsteps:\n"
MOST_MEMORY = 256 * 2**20


def looked_at(text: str) -> Report:
    """A report, made within a bound of memory."""
    tracemalloc.start()
    try:
        report = validate(subject_of_text(text, COMMANDS), "strict")
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    return report


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def test_a_billion_laughs() -> None:
    """Aliases are refused at the first one, before anything is copied."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert codes(looked_at("\n".join(lines))) == {"yaml-alias"}


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting(left: str, right: str) -> None:
    """In YAML and in JSON."""
    deep = left * 20_000 + "1" + right * 20_000
    assert codes(looked_at(f"id: h\nname: H\nsteps: {deep}\n")) == {"document-too-large"}
    assert codes(looked_at(deep)) == {"document-too-large"}


def test_nesting_within_parameters() -> None:
    """As deep as documents may be is fine; data that came otherwise is not walked without end."""
    deep: object = "x"
    for _ in range(MAX_DEPTH * 4):
        deep = {"a": deep}
    data = {"id": "h", "name": "H", "steps": [{"id": "a", "command": "noop", "parameters": deep}]}
    assert validate(subject_of_data(data, COMMANDS), "strict").findings != ()


def test_ten_thousand_steps() -> None:
    """More than a template may have: one finding, not ten thousand."""
    steps = [{"id": f"s{n}", "command": "noop"} for n in range(10_000)]
    report = looked_at(json.dumps({"id": "h", "name": "H", "steps": steps}))
    assert codes(report) == {"document-too-large"}
    assert len(report.findings) == 1
    assert str(MAX_STEPS) in report.findings[0].message


def test_as_many_steps_as_there_may_be() -> None:
    """A chain of a thousand steps, each with a script, is looked at in one go."""
    steps = [
        {
            "id": f"s{n}",
            "command": "shell",
            "parameters": {"script": f"echo {n}\nrm -rf /srv/{n}\n"},
            "irreversible": "it is thrown away",
            **({"depends_on": [f"s{n - 1}"]} if n else {}),
        }
        for n in range(MAX_STEPS)
    ]
    data = {"id": "h", "name": "H", "steps": steps}
    assert len(Template.model_validate(data).steps) == MAX_STEPS
    report = validate(subject_of_data(data, COMMANDS), "strict")
    assert codes(report) == {"recursive-delete"}
    assert len(report.findings) == MAX_STEPS


def test_huge_texts() -> None:
    """A file beyond the bound, and a line of a megabyte within it."""
    assert codes(looked_at("x" * (MAX_BYTES + 1))) == {"document-too-large"}
    line = "y" * (MAX_BYTES - 500)
    text = f"{HEAD}  - id: a\n    command: noop\n    parameters: {{echo: {line}}}\n"
    assert looked_at(text).findings == ()


def test_a_huge_script_is_looked_at_in_part() -> None:
    """Beyond the bound it is cut at the end of a line; what comes before is found."""
    script = "rm -rf /\n" + "echo x\n" * MAX_SCRIPT
    parsed = parse_script(script)
    assert len(parsed.commands) < len(script) // len("echo x\n")
    assert parsed.commands[0].name == "rm"


def test_scripts_that_nest() -> None:
    """Substitutions, subshells and wrappers within each other, ten thousand deep."""
    for script in (
        "echo " + "$(" * 10_000 + "x" + ")" * 10_000,
        "(" * 10_000 + "x" + ")" * 10_000,
        "sudo " * 5_000 + "rm -rf /",
        "if true; then\n" * 3_000,
        "sh -c '" + "a" * 60_000 + "'",
    ):
        data = {
            "id": "h",
            "name": "H",
            "steps": [{"id": "a", "command": "shell", "parameters": {"script": script}}],
        }
        validate(subject_of_data(data, COMMANDS), "strict")


@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "eyJ-", "sk-a", "SG.", "tskey-a", "x://", "--user=", "password ",
     "-----BEGIN A ", "drop ", "delete from a",
     "truncate table ", ": ", "(){", "${{ ", "'", "\\", "curl x|", "rm -rf $", "params.a", "a=b ",
     "\n", " ", "\t\n", "set -", "/a", "$(", "`", "0", "ssh a ", "find . -exec "],
)  # fmt: skip
def test_texts_that_patterns_are_slow_at(unit: str) -> None:
    """What almost fits a pattern again and again takes no longer than other text of that length:
    none of the rules looks at everything once more from each place of it."""
    text = unit * (MAX_SCRIPT * 2 // len(unit))
    for parameters in ({"script": text}, {"argv": ["sh", "-c", text]}, {"env": {"TEXT": text}}):
        step = {"id": "a", "command": "shell", "parameters": {"script": "true", **parameters}}
        data = {"id": "h", "name": "H", "steps": [step], "description": text[:1_000]}
        validate(subject_of_data(data, COMMANDS), "strict")


def test_expression_bombs() -> None:
    """Too long, too deep, or building lists out of lists: an error with a reason."""
    bombs = (
        "1 + " * 2_000 + "1",
        "(" * 500 + "1" + ")" * 500 + " == 1",
        "[1].map(a, [1].map(b, [1].map(c, [1].map(d, [1].map(e, [1].map(f, 1)))))) == []",
    )
    for bomb in bombs:
        data = {"id": "h", "name": "H", "steps": [{"id": "a", "command": "noop", "when": bomb}]}
        report = validate(subject_of_data(data, COMMANDS), "standard")
        assert codes(report) <= {"invalid-expression", "document-too-large"}
        assert not report.passed


def test_sub_workflows_that_lead_back() -> None:
    """A ring of templates, of which each calls the next, is named as what it is."""

    def ring(number: int) -> Template:
        call = {"template": f"t{(number + 1) % 3}", "version": "1.0.0"}
        steps = [{"id": "a", "workflow": call}]
        return Template.model_validate({"id": f"t{number}", "name": "T", "steps": steps})

    called = {(f"t{n}", "1.0.0"): ring(n) for n in range(3)}
    data = ring(0).model_dump(mode="json", by_alias=True, exclude_unset=True)
    report = validate(subject_of_data(data, COMMANDS, called=called), "basic")
    assert codes(report) == {"endless-call"}


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "..", "/srv/app/../../etc/shadow", "a\\..\\..\\x"]
)
def test_paths_that_climb(path: str) -> None:
    """In every operation of files, also in what is put back."""
    reading = {"operation": "read", "path": path}
    copying = {"operation": "copy", "path": "x", "source": path}
    undo = {"command": "file", "parameters": {"operation": "delete", "path": path}}
    steps = [
        {"id": "a", "command": "file", "parameters": reading},
        {"id": "b", "command": "file", "parameters": copying, "rollback": undo},
    ]
    report = validate(subject_of_data({"id": "h", "name": "H", "steps": steps}, COMMANDS), "strict")
    assert [f.path for f in report.findings if f.code == "path-traversal"] == [
        "steps/0/parameters/path",
        "steps/1/parameters/source",
        "steps/1/rollback/parameters/path",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "\ufeff",
        'id: "\\ud800"\n',
        "- - - -",
        "{",
        "[[[",
        "? a\n: b\n",
        "a: !!binary x\n",
        "%",
    ],
)
def test_odd_texts(text: str) -> None:
    """Nothing that is no template raises anything but findings, and there is nothing to mend."""
    report = validate(subject_of_text(text, COMMANDS), "strict")
    assert not report.passed
    assert mend(text, COMMANDS, "strict").text == text
