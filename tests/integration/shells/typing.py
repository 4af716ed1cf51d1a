"""A shell under a pseudo-terminal, and somebody who types into it."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.cli.recording.spool import Item, Spool
from services.cli.shell_init import hook_of

SHELLS: Final = ("bash", "zsh", "fish")
PATIENCE_S: Final = 20.0
PROMPT: Final = "hv-ready> "


class Typist:
    """Types lines, each once the shell is ready for it."""

    def __init__(self, shell: str, terminal: int) -> None:
        self.shell = shell
        self._terminal = terminal
        self.seen = ""

    def line(self, text: str) -> str:
        """Type a line; gives what came until the shell is ready again."""
        os.write(self._terminal, f"{text}\r".encode())
        return self.ready()

    def ready(self) -> str:
        """Wait for the next prompt."""
        return self._until(re.compile(re.escape(PROMPT) + r"(?:\x1b[^\r\n]*)?$"))

    def end(self) -> None:
        """Leave the shell, and wait until it has ended."""
        os.write(self._terminal, b"exit\r")
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                if not os.read(self._terminal, 4_096):
                    return
            except OSError:
                return

    def _until(self, wanted: re.Pattern[str]) -> str:
        seen, deadline = "", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.1)[0]:
                seen += os.read(self._terminal, 65_536).decode("utf-8", "replace")
            elif wanted.search(seen):
                self.seen += seen
                return seen
        raise AssertionError(f"{self.shell} is not ready; it said {seen!r}")


@contextmanager
def typing(shell: str, home: Path, *, before: str = "", **environment: str) -> Iterator[Typist]:
    """A shell with our hook, in a home of its own; `before` is in its startup file before it."""
    program = shutil.which(shell)
    assert program, f"{shell} is not installed: apt-get install {shell}"
    _set_up(shell, home, before)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "USER": "ada",
        "HIVE_HOME": str(home),
        **environment,
    }
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(home)
        os.execve(program, [shell, "-i"], variables)  # noqa: S606 - a shell is what is wanted
    typist = Typist(shell, terminal)
    try:
        typist.ready()
        yield typist
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def _set_up(shell: str, home: Path, before: str) -> None:
    hook = home / f"hook.{shell}"
    hook.write_text(hook_of(shell), encoding="utf-8")
    if shell == "fish":
        config = home / ".config" / "fish"
        config.mkdir(parents=True)
        text = f"function fish_prompt; printf '{PROMPT}'; end\nset -g fish_greeting\n"
        (config / "config.fish").write_text(f"{text}{before}\nsource {hook}\n", encoding="utf-8")
        return
    prompt = f"PS1='{PROMPT}'\n" + ("unsetopt prompt_cr prompt_sp zle\n" if shell == "zsh" else "")
    name = ".bashrc" if shell == "bash" else ".zshrc"
    (home / name).write_text(f"{prompt}{before}\n. {hook}\n", encoding="utf-8")


def spooled(folder: Path) -> list[Item]:
    """What waits, in order; it is taken."""
    return [item for batch in Spool(folder).take() for item in batch.items]
