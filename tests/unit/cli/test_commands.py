"""The table of commands: it names what is there, and a command pays only for what it needs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from ops.stack.layout import REPO_ROOT
from services.cli.commands import MODULES, CommandModule, load

HELP_COLUMNS = 63
"""What 80 columns leave for a command's line."""

WHAT_IS_LOADED = """
import sys
from services.cli.app import main
main(sys.argv[1:])
sys.stderr.write("loaded " + " ".join(sys.modules))
"""
SERVERS = {"pymongo", "nats", "fastapi", "mcp"}
RULES = {"jsonschema", "cel_expr_python", "shared.workflow.decide", "shared.workflow.events"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.path)
def test_the_table_names_what_is_there(module: CommandModule) -> None:
    """A module registers exactly the commands that the table gives it."""
    assert set(load(module)) == set(module.commands)


def test_each_command_is_one_line() -> None:
    """In a terminal of 80 columns no line of `hv --help` is broken."""
    lines = [line for module in MODULES for line in module.commands.values()]
    assert [line for line in lines if len(line) > HELP_COLUMNS] == []


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {"pydantic", "httpx", "websockets", "psutil"} | SERVERS | RULES),
        (["status"], {"httpx", "rich", "websockets"} | SERVERS | RULES),
        (["run", "x"], {"websockets", "yaml"} | SERVERS | RULES),
        (["executions"], {"websockets", "yaml"} | SERVERS | RULES),
    ],
)
def test_what_a_command_does_not_need_is_not_imported(
    tmp_path: Path, arguments: list[str], unwanted: set[str]
) -> None:
    """A command starts without the modules that only others need."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", WHAT_IS_LOADED, *arguments],
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT), "HIVE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stderr.rpartition("loaded ")[2].split())
    assert "services.cli.app" in loaded
    assert unwanted & loaded == set()


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The commands that do something, of a group its members and what it does alone."""
    if not isinstance(command, TyperGroup) or command.invoke_without_command:
        yield name, command
    for below, one in getattr(command, "commands", {}).items():
        yield from leaves(f"{name} {below}", one)


def test_every_command_speaks_json() -> None:
    """`--json` is everywhere but where another program has the word, or a shell reads it."""
    silent = {
        leaf
        for module in MODULES
        for name, command in load(module).items()
        for leaf, one in leaves(name, command)
        if not any("--json" in parameter.opts for parameter in one.params)
    }
    assert silent == {"test", "lock", "proto", "mcp", "shell-init"}


def test_an_unknown_command_is_told_with_what_was_meant() -> None:
    """A slip of the fingers is answered with the command that is near."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services.cli", "statsu"],
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Did you mean 'status'" in done.stderr
    assert "Traceback" not in done.stderr
