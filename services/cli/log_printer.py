"""The services' log lines on the terminal, each behind its service's name in its colour."""

from collections.abc import Sequence
from zlib import crc32

from rich.console import Console
from rich.text import Text

from ops.stack.layout import Layout
from ops.stack.logs import Follower

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_magenta")


class LogPrinter:
    """Prints what the services write from now on; call `print_new` a few times a second."""

    def __init__(self, layout: Layout, names: Sequence[str], *, stderr: bool = False) -> None:
        """Follow the logs of the services with these names, each from its end."""
        self._console = Console(stderr=stderr, highlight=False, soft_wrap=True)
        self._followers = {name: Follower(layout.log(name)) for name in names}
        self._width = max(map(len, ["hive", *names]))

    def say(self, sentence: str) -> None:
        """Print a sentence of the supervisor, after what the services wrote before it."""
        self.print_new()
        self._print("hive", "bold", sentence)

    def print_new(self) -> None:
        """Print the lines that are new."""
        for name, follower in self._followers.items():
            colour = _COLOURS[crc32(name.encode()) % len(_COLOURS)]
            for line in follower.lines():
                self._print(name, colour, line)

    def _print(self, name: str, style: str, line: str) -> None:
        prefix = Text(f"{name:<{self._width}} │ ", style=style)
        self._console.print(prefix + Text.from_ansi(line))
