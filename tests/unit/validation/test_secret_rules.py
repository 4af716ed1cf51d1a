"""Definitions that would give a secret away are refused when they are stored."""

from __future__ import annotations

from typing import Any

from shared.commands.registry import CommandRegistry
from shared.validation.finding import Finding
from shared.validation.subject import subject_of_data
from shared.validation.validate import validate

COMMANDS = CommandRegistry.builtin()


CODES = {"secret-passed-on", "secret-in-arguments", "unknown-sensitive-output"}


def findings(*steps: dict[str, Any]) -> list[Finding]:
    subject = subject_of_data({"id": "t", "name": "t", "steps": list(steps)}, COMMANDS)
    return [f for f in validate(subject, "standard").findings if f.code in CODES]


def found(*steps: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in findings(*steps)]


def login(**fields: Any) -> dict[str, Any]:
    parameters = {"argv": ["login"], "parse_json": True}
    return {"id": "login", "command": "shell", "parameters": parameters, **fields}


def use(command: str, **parameters: Any) -> dict[str, Any]:
    return {"id": "use", "command": command, "depends_on": ["login"], "parameters": parameters}


def test_a_sensitive_output_is_not_for_the_hive() -> None:
    """A hive command that is given a sensitive output, or what is parsed from it, is named with the
    place; commands that use secrets may have them, and so may the hive what is not secret."""
    secret = "it is ${{ steps.login.output.stdout }}"
    parsed = "${{steps.login.output.json.token}}"
    files = [{"path": "a", "content": parsed}]
    assert found(login(sensitive=["stdout"]), use("remember", content=secret, tags=["a"])) == [
        ("steps/1/parameters/content", "secret-passed-on")
    ]
    assert found(login(sensitive=["stdout"]), use("hv-sync", bundle="b", files=files)) == [
        ("steps/1/parameters/files/0/content", "secret-passed-on")
    ]
    assert found(login(sensitive=["stdout"]), use("shell", argv=[secret, parsed])) == []
    assert found(login(sensitive=["stderr"]), use("remember", content=secret)) == []
    assert found(login(sensitive=["stdout"]), use("unheard-of", content=secret)) == []


def test_a_rollback_is_looked_at_too() -> None:
    """What undoes a step is a use like any other."""
    undo = {
        "command": "hv-broadcast",
        "parameters": {"message": "${{ steps.login.output.stderr }}"},
    }
    step = use("noop") | {"rollback": undo}
    assert found(login(sensitive=["stderr"]), step) == [
        ("steps/1/rollback/parameters/message", "secret-passed-on")
    ]


def test_a_sensitive_field_must_exist() -> None:
    """A field that the command does not put out would seal nothing: it is refused."""
    assert found(login(sensitive=["stdout", "sdterr"])) == [
        ("steps/0/sensitive/1", "unknown-sensitive-output")
    ]


def test_a_secret_is_not_for_the_hive() -> None:
    """A command that would pass a secret on is named with the place, in a rollback too; one that
    uses secrets may have it."""
    text = "it is ${{ secrets.TOKEN }}"
    undo = {"command": "hv-broadcast", "parameters": {"message": text}}
    assert found(login(), use("remember", content=text, tags=["a", text])) == [
        ("steps/1/parameters/content", "secret-passed-on"),
        ("steps/1/parameters/tags/1", "secret-passed-on"),
    ]
    assert found(login(), use("shell", env={"A": text}) | {"rollback": undo}) == [
        ("steps/1/rollback/parameters/message", "secret-passed-on")
    ]


def test_a_secret_among_arguments_is_warned_of() -> None:
    """A secret that everybody on the host could read while the program runs is named with what to
    do; in the environment, on standard input or in a script's text it is not seen."""
    text = "${{ 'Bearer ' + secrets.TOKEN }}"
    hidden = use("shell", script=f"x {text}", env={"A": text}, stdin=text)
    seen = use("shell", argv=["curl", "-H", text])
    (warning,) = findings(login(), hidden | {"id": "hidden"}, seen)
    assert (warning.path, warning.code) == ("steps/2/parameters/argv/2", "secret-in-arguments")
    assert "secrets.TOKEN" in warning.message
    assert "env" in warning.fix
