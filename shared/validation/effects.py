"""What a command with its parameters changes, as plans of rollbacks and forecasts go by: the same
for both, so that what was foretold is what is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.commands.spec import CommandSpec
from shared.validation.rules.ways_back import programs_only_read

Effects = Callable[[str, Mapping[str, Any]], str]
"""`none`, `reversible` or `irreversible`."""


def effects_over(commands: Mapping[str, CommandSpec]) -> Effects:
    """The effects of these commands. A shell command whose programs only read changes nothing; of
    a command that is not known the strongest is assumed."""

    def effects(command: str, parameters: Mapping[str, Any]) -> str:
        spec = commands.get(command)
        if spec is None:
            return "irreversible"
        found = spec.effects_of(parameters).value
        if found != "none" and command == "shell" and programs_only_read(parameters):
            return "none"
        return found

    return effects
