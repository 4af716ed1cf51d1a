"""The one list of commands: what exists, and whether given parameters fit."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator

from shared.commands import file, hive, http, kept, noop, shell, wait
from shared.commands.problems import ParameterProblem, describe_all
from shared.commands.spec import CommandSpec
from shared.commands.third_party import RegistryProblem, installed_entry_points, load_all

BUILTIN: tuple[CommandSpec, ...] = (
    file.SPEC,
    http.SPEC,
    kept.KEEP_FILES,
    noop.SPEC,
    kept.RESTORE,
    shell.SPEC,
    wait.SPEC,
    *hive.SPECS,
)
"""Every command that comes with the product; a new family adds its specs here."""


class UnknownCommandError(KeyError):
    """No command has this name. `suggestions` are names that look alike, best first."""

    def __init__(self, name: str, suggestions: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.suggestions = suggestions

    def __str__(self) -> str:
        hint = f"; did you mean '{self.suggestions[0]}'?" if self.suggestions else ""
        return f"there is no command '{self.name}'{hint}"


class CommandRegistry(Mapping[str, CommandSpec]):
    """An immutable mapping of command name to specification, in the order of the names.

    `problems` are the third-party commands that could not be taken in.
    """

    def __init__(
        self, specs: Iterable[CommandSpec], problems: Iterable[RegistryProblem] = ()
    ) -> None:
        """Raise ValueError if two of the specs have the same name."""
        by_name: dict[str, CommandSpec] = {}
        for spec in specs:
            if spec.name in by_name:
                raise ValueError(f"two commands are named '{spec.name}'")
            by_name[spec.name] = spec
        self._specs = MappingProxyType(dict(sorted(by_name.items())))
        self._validators = {
            name: Draft202012Validator(
                spec.parameters, format_checker=Draft202012Validator.FORMAT_CHECKER
            )
            for name, spec in self._specs.items()
        }
        self._quick = {name: _quick(spec.parameters) for name, spec in self._specs.items()}
        self.problems = tuple(problems)

    @classmethod
    def builtin(cls) -> "CommandRegistry":
        """The commands that come with the product."""
        return cls(BUILTIN)

    @classmethod
    def installed(cls, entries: Iterable[EntryPoint] | None = None) -> "CommandRegistry":
        """The built-in commands and those of `entries` (default: this environment's)."""
        found = installed_entry_points() if entries is None else entries
        third_party, problems = load_all(found, taken=[spec.name for spec in BUILTIN])
        return cls([*BUILTIN, *(command.spec for command in third_party)], problems)

    def __getitem__(self, name: str) -> CommandSpec:
        """Raise UnknownCommandError, with names that look alike, if there is none."""
        spec = self._specs.get(name)
        if spec is None:
            raise UnknownCommandError(name, self.suggestions(name))
        return spec

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def suggestions(self, name: str) -> tuple[str, ...]:
        """Up to three names that look like this one, best first."""
        return tuple(difflib.get_close_matches(name, self._specs, n=3))

    def check_parameters(
        self, name: str, parameters: Mapping[str, Any], *, allow_expressions: bool = False
    ) -> list[ParameterProblem]:
        """What is wrong with these parameters, empty if nothing; raise UnknownCommandError.

        With `allow_expressions` (when a template is defined) a value that is one `${{ … }}` stands
        for any type. At run time expressions have been evaluated, and the default applies.
        """
        _ = self[name]
        given = dict(parameters)
        if _fits(self._quick[name], given):
            return []
        errors = self._validators[name].iter_errors(given)
        return describe_all(errors, allow_expressions=allow_expressions)


def _quick(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator | None:
    """What tells fast that values fit a schema; None where only `jsonschema` can."""
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True)
    except (ValueError, jsonschema_rs.ValidationError):
        return None  # such as a pattern that only Python's `re` reads


def _fits(quick: jsonschema_rs.Draft202012Validator | None, given: Mapping[str, Any]) -> bool:
    """True when the values fit for certain; false when `jsonschema` must look."""
    try:
        return quick is not None and quick.is_valid(given)
    except ValueError:
        return False  # what is no JSON, such as NaN
