"""`hv shell-init`: the hook of a shell that records what is typed, as text to be evaluated."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.stack.layout import REPO_ROOT
from services.cli.outcome import CliError, told
from services.cli.recording.spool import spool_folder

HOOKS: Final = Path(__file__).parent / "recording" / "hooks"
SHELLS: Final = ("bash", "zsh", "fish")
EVERY_S: Final = 10
"""Seconds between two senders of one shell."""
MOST: Final = 20_000
"""Commands that one shell records: a bound for a spool that nobody sends."""
CHARACTERS: Final = 8_000
"""Of a command that a hook keeps."""


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(name="shell-init")(shell_init)


@told
def shell_init(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print what records each command of a shell: `eval "$(hv shell-init bash)"` in ~/.bashrc,
    `eval "$(hv shell-init zsh)"` in ~/.zshrc, `hv shell-init fish | source` in config.fish."""
    if shell not in SHELLS:
        raise CliError(f"{shell!r} is no shell that hv knows: use one of {', '.join(SHELLS)}.")
    typer.echo(hook_of(shell), nl=False)


def hook_of(shell: str) -> str:
    """The hook of a shell. `hooks/suggestions.<shell>`, where there is one, is put into it: what a
    key shows of what could come next."""
    suggestions = HOOKS / f"suggestions.{shell}"
    text = (HOOKS / f"hook.{shell}").read_text(encoding="utf-8")
    folder = spool_folder()
    variables = (f"PYTHONPATH={REPO_ROOT}", f"HIVE_RECORD_SPOOL={folder}")
    hv = ("env", *variables, sys.executable, "-P", "-m", "services.cli")
    values = {
        "@SUGGESTIONS@\n": suggestions.read_text(encoding="utf-8") if suggestions.exists() else "",
        "@SPOOL@": quoted(str(folder), shell),
        "@SEND@": " ".join(quoted(word, shell) for word in (*hv, "record", "--flush")),
        "@HV@": " ".join(quoted(word, shell) for word in hv),
        "@MOST@": str(MOST),
        "@CHARACTERS@": str(CHARACTERS),
        "@EVERY@": str(EVERY_S),
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def quoted(word: str, shell: str) -> str:
    """A word as a shell reads it back."""
    if shell != "fish":
        return shlex.quote(word)
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"
