"""The `hv` command, put together from command modules.

`MODULES` is the one table: a module, and the commands it registers through its `register(app)`.
Only the module of the command that was typed is imported, so that `hv status` does not pay for what
`hv bench` needs; help and shell completion import them all.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import typer

EXIT_DEFECT = 70
"""The exit code for a defect of `hv` itself (EX_SOFTWARE)."""


@dataclass(frozen=True, slots=True)
class CommandModule:
    """A module under `services.cli` with a function `register(app: typer.Typer) -> None`."""

    path: str
    commands: tuple[str, ...]


MODULES: tuple[CommandModule, ...] = (
    CommandModule("services.cli.stack", ("up", "down", "status")),
    CommandModule("services.cli.templates", ("templates",)),
    CommandModule("services.cli.workflows", ("run", "watch")),
    CommandModule(
        "services.cli.executions",
        ("executions", "show", "approve", "reject", "cancel", "pause", "resume", "resolve"),
    ),
    CommandModule("services.cli.logs", ("logs",)),
    CommandModule("services.cli.hive", ("agents", "delegations", "remember", "recall")),
    CommandModule("services.cli.mcp", ("mcp",)),
    CommandModule("services.cli.webhooks", ("webhooks",)),
    CommandModule("services.cli.demo", ("demo",)),
    CommandModule("services.cli.responder", ("responder",)),
    CommandModule("services.cli.develop", ("test", "check", "lock", "proto")),
    CommandModule("services.cli.bench.commands", ("bench",)),
)


def build(command: str | None = None) -> typer.Typer:
    """Return the application with the module of `command`, or with every module when it is None or
    unknown.
    """
    app = typer.Typer(
        name="hv",
        help="hAIveMind Workflows: durable command workflows across a fleet of agents.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_root)
    chosen = [module for module in MODULES if command in module.commands]
    for module in chosen or MODULES:
        importlib.import_module(module.path).register(app)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command; the return value is the exit code of the process."""
    completing = "_HV_COMPLETE" in os.environ
    command = arguments[0] if arguments and not completing else None
    try:
        build(command)(args=list(arguments), prog_name="hv")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; what Python flushes at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _defect(error)
    return 0


def _defect(error: Exception) -> int:
    """Say that `hv` itself is at fault; the traceback is for who asks for it."""
    if os.environ.get("HIVE_DEBUG"):
        raise error
    reason = " ".join(str(error).split())[:300]
    sys.stderr.write(
        f"hv: this is a defect of hv: {type(error).__name__}: {reason}\n"
        "  HIVE_DEBUG=1 shows where it happened.\n"
    )
    return EXIT_DEFECT


def _root() -> None:
    """hAIveMind Workflows: durable command workflows across a fleet of agents."""
