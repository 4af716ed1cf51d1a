"""Which workflow a sequence of commands has begun."""

from __future__ import annotations

from typing import Any

import pytest

from shared.suggest.started import StepIndex
from shared.templates.loader import builtin
from shared.workflow.definition import Template


def template(name: str, *steps: dict[str, Any], **more: Any) -> Template:
    return Template.model_validate({"id": name, "name": name, "steps": list(steps), **more})


def shell(name: str, *argv: str, after: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "id": name,
        "command": "shell",
        "depends_on": list(after),
        "parameters": {"argv": list(argv)},
    }


ROLLOUT = template(
    "rollout",
    shell("drain", "lbctl", "drain", "${{ params.host }}"),
    shell("install", "apt", "install", "shop=${{ params.version }}", after=("drain",)),
    shell("back", "lbctl", "enable", "${{ params.host }}", after=("install",)),
    parameters={"host": {"type": "string"}, "version": {"type": "string"}},
)
SCRIPT = template(
    "script",
    {
        "id": "copy",
        "command": "shell",
        "parameters": {
            "script": '# first\nrsync -a "$FROM" backup:/srv\necho done\n',
            "env": {"FROM": "${{ params.folder }}"},
        },
    },
    shell("check", "sha256sum", "-c", "list", after=("copy",)),
    parameters={"folder": {"type": "string"}},
)


def test_steps_and_values_are_known_again() -> None:
    """Quotes, sudo, `cd` before it and other commands in between do not matter."""
    lines = ["ls", "cd /tmp && sudo lbctl drain 'web-7'", "df -h", "apt install shop=4.2"]
    (found,) = StepIndex([ROLLOUT, SCRIPT]).started(lines)
    assert found.template == "rollout"
    assert found.done == ("drain", "install")
    assert found.rest == ("back",)
    assert found.values == {"host": "web-7", "version": "4.2"}
    assert found.next_line == "lbctl enable web-7"


def test_a_step_counts_only_after_those_it_depends_on() -> None:
    """The second step alone begins nothing."""
    assert StepIndex([ROLLOUT]).started(["apt install shop=4.2"]) == []


def test_another_value_begins_anew() -> None:
    """What was done for one host says nothing of another one."""
    lines = ["lbctl drain web-7", "apt install shop=4.2", "lbctl drain web-8"]
    (found,) = StepIndex([ROLLOUT]).started(lines)
    assert (found.done, found.values) == (("drain",), {"host": "web-8"})


def test_what_is_over_or_long_ago_is_not_told() -> None:
    """A workflow whose steps are all done has no rest; other commands make it stale."""
    whole = ["lbctl drain w", "apt install shop=1", "lbctl enable w"]
    assert StepIndex([ROLLOUT]).started(whole) == []
    assert StepIndex([ROLLOUT]).started(["lbctl drain w", "ls", "ls", "ls"]) == []


def test_scripts_are_known_by_their_first_line() -> None:
    """Variables of the script that are parameters give their values."""
    (found,) = StepIndex([SCRIPT]).started(["rsync -a /var/www backup:/srv"])
    assert (found.template, found.values) == ("script", {"folder": "/var/www"})


def test_named_commands_are_known_by_their_name() -> None:
    """`you are in step 1 of incident_response`, and the same of all that begin alike."""
    found = StepIndex(builtin()).started(["hv-status deadline_s=5"])
    assert "incident_response" in {one.template for one in found}


def test_what_begins_alike_is_less_likely_and_more_steps_are_likelier() -> None:
    """Two templates with the same first step share its chance."""
    twin = ROLLOUT.model_copy(update={"id": "twin"})
    (alone,) = StepIndex([ROLLOUT]).started(["lbctl drain w"])
    both = StepIndex([ROLLOUT, twin]).started(["lbctl drain w"])
    further = StepIndex([ROLLOUT]).started(["lbctl drain w", "apt install shop=1"])
    assert [one.likely for one in both] == [alone.likely / 2] * 2
    assert further[0].likely > alone.likely


@pytest.mark.parametrize("line", ["", "'", "$(", "\x00", "a" * 5_000, "| | |", "sudo", "cd /x &&"])
def test_whatever_is_typed_is_looked_at(line: str) -> None:
    """What is no command begins nothing, and breaks nothing."""
    assert StepIndex([ROLLOUT]).started([line]) == []
