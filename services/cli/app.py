"""The `hv` command: what it is made of stands in `services.cli.commands`; how it ends, here."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from services.cli.commands import LazyGroup
from shared.version import VERSION

EXIT_DEFECT = 70
"""The exit code for a defect of `hv` itself (EX_SOFTWARE)."""

EXIT_MACHINE = 74
"""The exit code when the machine refuses: a full disk, a folder that cannot be written."""

EXIT_INTERRUPTED = 130


def build() -> typer.Typer:
    """Return the application; it imports the module of a command when that is called."""
    app = typer.Typer(
        cls=LazyGroup,
        name="hv",
        help="hAIveMind Workflows: durable command workflows across a fleet of agents.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_root)
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command; the return value is the exit code of the process."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        from services.cli.outcome import reader_gone

        return reader_gone()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        return _refused(error)
    except Exception as error:
        return _defect(error)
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        build()(args=list(arguments), prog_name="hv")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _refused(error: OSError) -> int:
    """Say what the machine refuses; nothing more is printed: that may be what it refuses."""
    if os.environ.get("HIVE_DEBUG"):
        raise error
    where = f"{error.filename}: " if error.filename else ""
    sys.stderr.write(f"hv: {where}{error.strerror or error}.\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_MACHINE


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


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hv {VERSION}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Say which.")
    ] = False,
) -> None:
    """hAIveMind Workflows: durable command workflows across a fleet of agents."""
