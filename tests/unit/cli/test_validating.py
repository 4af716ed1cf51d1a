"""`hv validate` on files, without any server: what it prints, in which form, its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from services.cli import validating

RUNNER = CliRunner()
BAD = """\
# restarts a unit
id: restart_unit
name: Restart a unit
parameters:
  unit: {type: string}
steps:
  - id: restart
    command: shell
    parameters:
      script: |
        systemctl daemon-reload
        systemctl restart ${{ params.unit }}
"""
SOUND = "id: look\nname: Look\nsteps:\n  - id: look\n    command: noop\n"
PORT = """\
id: probe
name: Probe
parameters:
  port: {type: integer, minimum: 1}
steps:
  - id: probe
    command: noop
    parameters: {echo: "${{ params.port }}"}
"""
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription"],
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"type": "object", "required": ["text"]},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "region": {
                                                        "type": "object",
                                                        "properties": {
                                                            "startLine": {"minimum": 1},
                                                            "startColumn": {"minimum": 1},
                                                        },
                                                    }
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What SARIF 2.1.0 requires of the parts that are written here."""


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    validating.register(made)
    return made


def written(folder: Path, text: str, name: str = "w.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_sound_file_ends_with_nothing(app: typer.Typer, tmp_path: Path) -> None:
    """Exit code 0, and one line that says so."""
    done = RUNNER.invoke(app, [written(tmp_path, SOUND)])
    assert done.exit_code == 0
    assert "nothing found (level standard)" in done.stdout


def test_a_finding_shows_its_line(app: typer.Typer, tmp_path: Path) -> None:
    """With a mark under the place, why and what to do; exit code 1."""
    done = RUNNER.invoke(app, [written(tmp_path, BAD)])
    assert done.exit_code == 1
    assert "w.yaml:12:27  error  script-injection" in done.stdout
    line, mark = done.stdout.splitlines()[2:4]
    assert line.endswith("systemctl restart ${{ params.unit }}")
    assert line.index("${{") == mark.index("^")
    assert "--fix does it" in done.stdout


def test_the_level_decides_what_is_looked_at(app: typer.Typer, tmp_path: Path) -> None:
    """Basic sees no scripts; strict wants a way back."""
    path = written(tmp_path, BAD)
    assert RUNNER.invoke(app, [path, "--level", "basic"]).exit_code == 0
    assert "no-way-back" in RUNNER.invoke(app, [path, "--level", "strict"]).stdout


def test_json_is_the_whole_report(app: typer.Typer, tmp_path: Path) -> None:
    """One object, with patches."""
    done = RUNNER.invoke(app, [written(tmp_path, BAD), "--format", "json"])
    report = json.loads(done.stdout)
    assert (report["passed"], report["counts"]["error"]) == (False, 1)
    [finding] = report["findings"]
    assert {operation["op"] for operation in finding["patch"]} == {"add", "replace"}
    assert json.loads(RUNNER.invoke(app, [written(tmp_path, SOUND), "--json"]).stdout)["passed"]


@pytest.mark.parametrize("text", [BAD, SOUND, "id: 'a\n"])
def test_sarif_has_its_shape(app: typer.Typer, tmp_path: Path, text: str) -> None:
    """What code review tools require."""
    done = RUNNER.invoke(app, [written(tmp_path, text), "--format", "sarif", "--level", "strict"])
    log = json.loads(done.stdout)
    Draft202012Validator(SARIF).validate(log)
    [run] = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_fix_mends_the_file(app: typer.Typer, tmp_path: Path) -> None:
    """What changed is said, comments stay, and the file is sound afterwards."""
    path = written(tmp_path, BAD)
    done = RUNNER.invoke(app, [path, "--fix"])
    assert done.exit_code == 0
    assert "fixed  steps/0/parameters/script" in done.output
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith("# restarts a unit\n")
    assert 'systemctl restart "$UNIT"' in text
    assert RUNNER.invoke(app, [path]).exit_code == 0


def test_parameters_of_a_run(app: typer.Typer, tmp_path: Path) -> None:
    """They are looked at where they are given."""
    path = written(tmp_path, PORT)
    assert RUNNER.invoke(app, [path]).exit_code == 0
    done = RUNNER.invoke(app, [path, "-p", "port=0"])
    assert (done.exit_code, "invalid-run-parameter" in done.stdout) == (1, True)
    assert RUNNER.invoke(app, [path, "-p", "port=80"]).exit_code == 0


def test_what_makes_it_fail_can_be_chosen(app: typer.Typer, tmp_path: Path) -> None:
    """Warnings are enough if one says so."""
    text = BAD.replace("restart ${{", 'restart "${{').replace("unit }}\n", 'unit }}"\n')
    path = written(tmp_path, text)
    assert RUNNER.invoke(app, [path]).exit_code == 0
    assert RUNNER.invoke(app, [path, "--fail-on", "warning"]).exit_code == 1


def test_rules_can_be_set(app: typer.Typer, tmp_path: Path) -> None:
    """By the same file that a gateway reads; one that cannot be read is told."""
    path = written(tmp_path, BAD)
    rules = written(tmp_path, 'severities: {"*": {script-injection: "off"}}\n', "rules.yaml")
    assert RUNNER.invoke(app, [path, "--rules", rules]).exit_code == 0
    odd = written(tmp_path, 'severities: {"*": {no-such-rule: "off"}}\n', "odd.yaml")
    done = RUNNER.invoke(app, [path, "--rules", odd])
    assert (done.exit_code, "no-such-rule" in done.output) == (2, True)


def test_a_file_that_cannot_be_read(app: typer.Typer, tmp_path: Path) -> None:
    """Exit code 2, and the reason."""
    done = RUNNER.invoke(app, [str(tmp_path / "nothing.yaml")])
    assert done.exit_code == 2
    assert "No such file" in done.output
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert RUNNER.invoke(app, [str(tmp_path / "binary.yaml")]).exit_code == 2
