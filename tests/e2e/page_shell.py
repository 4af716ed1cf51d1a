"""Follows a Markdown page as a reader does: its commands in order, in one shell."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.console_blocks import Example

END = "end-of-command"
PATIENCE_S = 60.0


class PageShell:
    """One bash for one page: what a command assigns is there for the next one."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = dict(env)

    def __enter__(self) -> Self:
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bash.kill()
        self._bash.communicate()

    def follow(self, example: Example) -> None:
        """Run a command; it must end with 0 and print what the page promises.

        A command that only looks is repeated until it shows that: what it shows may still happen.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            code, printed = self._run(example.command)
            kept = code == 0 and example.matches(printed)
            if kept or not example.only_looks or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        promised = "\n".join(example.expected)
        assert kept, f"{example.command} promised:\n{promised}\nbut ended with {code}:\n{printed}"

    def _run(self, command: str) -> tuple[int, str]:
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null\necho {END} $?\n")
        self._bash.stdin.flush()
        printed = ""
        for line in self._bash.stdout:
            before, end, code = line.partition(END)
            printed += before
            if end:
                return int(code), printed
        raise AssertionError(f"the shell ended at: {command}\n{printed}")
