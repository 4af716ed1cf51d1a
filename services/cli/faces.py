"""The three faces of a running execution: a tree that redraws itself, lines, or JSON."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.text import Text

from services.cli import rendering
from services.cli.outcome import print_json_line

if TYPE_CHECKING:
    from rich.live import Live

    from services.cli.progress import Progress
    from shared.contracts.events import PublicEvent

REFRESH_PER_S = 8


class Face(AbstractContextManager["Face"], Protocol):
    """How progress is shown."""

    def show(self, progress: Progress, event: PublicEvent | None) -> None:
        """An event came, or (`None`) only time passed."""
        ...

    def say(self, sentence: str) -> None:
        """Something about the connection."""
        ...


class TreeFace(Face):
    """A tree on a terminal that redraws itself."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(console=self._console, refresh_per_second=REFRESH_PER_S, transient=False)
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress, event: PublicEvent | None) -> None:  # noqa: ARG002 - the port
        """Redraw the tree."""
        if self._live is not None:
            self._live.update(rendering.tree(progress, now_ms()))

    def say(self, sentence: str) -> None:
        """Print above the tree."""
        self._console.print(Text(sentence, style="yellow"))


class LineFace(Face):
    """One line per event, and the tree at the end: for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._console.print(rendering.tree(self._progress, now_ms()))

    def show(self, progress: Progress, event: PublicEvent | None) -> None:
        """Print the event; remember the state for the end."""
        self._progress = progress
        if event is not None:
            self._console.print(rendering.event_line(event), soft_wrap=True)

    def say(self, sentence: str) -> None:
        """Print a line."""
        self._console.print(sentence, soft_wrap=True)


class JsonFace(Face):
    """One JSON object per event; sentences go to standard error."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def show(self, progress: Progress, event: PublicEvent | None) -> None:  # noqa: ARG002 - the port
        """Print the event."""
        if event is not None:
            print_json_line({"event": event.model_dump(mode="json")})

    def say(self, sentence: str) -> None:
        """Standard output is for JSON alone."""
        sys.stderr.write(f"hv: {sentence}\n")


class QuietFace(Face):
    """Nothing on standard output: somebody else says how it went."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def show(self, progress: Progress, event: PublicEvent | None) -> None:
        """Show nothing."""

    def say(self, sentence: str) -> None:
        """A lost connection is worth a word all the same."""
        sys.stderr.write(f"hv: {sentence}\n")


def face_for(*, as_json: bool) -> Face:
    """JSON if asked for; a live tree on a terminal; otherwise lines."""
    if as_json:
        return JsonFace()
    console = rendering.console()
    return TreeFace(console) if console.is_terminal else LineFace(console)


def now_ms() -> int:
    """This machine's clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
