"""Every command that this agent can run, by name: the built-in ones and those of third parties."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import cast

from pydantic import BaseModel

from services.executor.commands.base import Capturing, Command
from services.executor.commands.broadcast import BroadcastCommand
from services.executor.commands.delegate import DelegateCommand
from services.executor.commands.file import FileCommand
from services.executor.commands.http import HttpCommand
from services.executor.commands.kept import KeepFilesCommand, RestoreCommand
from services.executor.commands.noop import NoopCommand
from services.executor.commands.query import QueryCommand, RecallCommand
from services.executor.commands.remember import RememberCommand
from services.executor.commands.shell import ShellCommand
from services.executor.commands.status import StatusCommand
from services.executor.commands.sync import SyncCommand
from services.executor.commands.wait import WaitCommand
from shared.commands.registry import BUILTIN, CommandRegistry
from shared.commands.third_party import RegistryProblem, installed_entry_points, load_all


def builtin_commands() -> tuple[Command, ...]:
    """One of each built-in command. The hive commands reach the hive through their context."""
    return (
        FileCommand(),
        HttpCommand(),
        KeepFilesCommand(),
        NoopCommand(),
        RestoreCommand(),
        ShellCommand(),
        WaitCommand(),
        StatusCommand(),
        BroadcastCommand(),
        DelegateCommand(),
        QueryCommand(),
        RecallCommand(),
        RememberCommand(),
        SyncCommand(),
    )


class CommandCatalog(Mapping[str, Command]):
    """An immutable mapping of name to command. `registry` has the specifications of the same names.

    `registry.problems` are the third-party commands that could not be taken in.
    """

    def __init__(
        self, commands: Iterable[Command], problems: Iterable[RegistryProblem] = ()
    ) -> None:
        """Raise ValueError if two of the commands have the same name."""
        listed = list(commands)
        self.registry = CommandRegistry([command.spec for command in listed], problems)
        self._commands = MappingProxyType({command.spec.name: command for command in listed})

    @classmethod
    def installed(
        cls,
        builtin: Iterable[Command] | None = None,
        entries: Iterable[EntryPoint] | None = None,
    ) -> "CommandCatalog":
        """`builtin` (default: builtin_commands()) and the commands of the entry points."""
        own = builtin_commands() if builtin is None else tuple(builtin)
        found = installed_entry_points() if entries is None else entries
        taken = {spec.name for spec in BUILTIN} | {command.spec.name for command in own}
        loaded, problems = load_all(found, taken)
        usable: list[Command] = []
        for third in loaded:
            model = getattr(third.handler, "parameters", None)
            if third.spec.captures and not isinstance(third.handler, Capturing):
                message = "says what it captures, and has no 'changes' that tells it"
                problems.append(RegistryProblem(third.origin, message))
            elif isinstance(model, type) and issubclass(model, BaseModel):
                # The loader has checked `spec` and `run`; what remains is this model.
                usable.append(cast("Command", third.handler))
            else:
                message = "has no 'parameters' that is a pydantic model"
                problems.append(RegistryProblem(third.origin, message))
        return cls([*own, *usable], problems)

    def __getitem__(self, name: str) -> Command:
        """Raise UnknownCommandError if there is none of this name."""
        _ = self.registry[name]
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.registry)

    def __len__(self) -> int:
        return len(self._commands)
