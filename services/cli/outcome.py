"""How `hv` ends: the exit codes, and errors that are told as a sentence.

| code | when |
|---|---|
| 0 | the workflow completed; or, for other commands, it was done |
| 1 | the workflow failed, or completed with errors |
| 2 | bad input: unknown name, wrong parameter, refused by the gateway |
| 3 | the gateway cannot be reached, or refuses the key |
| 4 | the workflow was cancelled |
| 5 | the workflow still runs (the wait was over before it) |
| 74 | the machine refuses: the disk is full, a folder cannot be written |
| 141 | who read the output (head, less) has gone; what was asked for goes on |
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, NoReturn, ParamSpec

import typer

from shared.contracts.api.problems import FieldProblem
from shared.workflow.machines.execution import ENDED, ExecutionStatus

P = ParamSpec("P")


class ExitCode(IntEnum):
    """What the exit code of `hv` says."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_REACHABLE = 3
    CANCELLED = 4
    STILL_RUNNING = 5
    MACHINE = 74
    READER_GONE = 141


class CliError(Exception):
    """Something to tell the person who typed the command: what is wrong, field by field."""

    def __init__(
        self,
        message: str,
        code: ExitCode = ExitCode.BAD_INPUT,
        fields: tuple[FieldProblem, ...] = (),
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields
        self.status = status

    def sentences(self) -> str:
        """The message, then one line for each field with what to do about it."""
        lines = [str(self)]
        for one in self.fields:
            fix = f" ({one.fix})" if one.fix else ""
            lines.append(f"  {one.field}: {one.message}{fix}" if one.field else f"  {one.message}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The same for a machine."""
        return {
            "error": {
                "message": str(self),
                "exit_code": int(self.code),
                "status": self.status,
                "fields": [one.model_dump() for one in self.fields],
            }
        }


def exit_code_of(status: str) -> ExitCode:
    """The exit code that an execution in this status stands for."""
    if status == ExecutionStatus.COMPLETED:
        return ExitCode.DONE
    if status == ExecutionStatus.CANCELLED:
        return ExitCode.CANCELLED
    return ExitCode.FAILED if status in ENDED else ExitCode.STILL_RUNNING


def told(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a `CliError` of a command into sentences on standard error and its exit code.

    Where the command was called with `as_json`, the error is also JSON on standard output.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except CliError as error:
            fail(error, as_json=bool(kwargs.get("as_json")))
        except BrokenPipeError:
            raise typer.Exit(reader_gone()) from None

    return run


def reader_gone() -> int:
    """What is still to be printed goes nowhere; returns the exit code that says so."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.READER_GONE


def fail(error: CliError, *, as_json: bool) -> NoReturn:
    """Say what is wrong and end."""
    sys.stderr.write(f"hv: {error.sentences()}\n")
    if as_json:
        print_json(error.as_json())
    raise typer.Exit(int(error.code))


def print_ids(ids: Iterable[str]) -> None:
    """One id a line: for the shell's `$(…)` and for xargs."""
    for one in ids:
        typer.echo(one)


def print_json(value: Any) -> None:
    """JSON on standard output, as people and machines can read it."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_line(value: Any) -> None:
    """One line of JSON on standard output: for streams."""
    typer.echo(json.dumps(value, ensure_ascii=False))
