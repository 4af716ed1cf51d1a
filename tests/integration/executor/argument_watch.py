"""The arguments of all processes of this machine, looked at over and over while something runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE_S = 0.002


class ArgumentWatch:
    """Notes which of some texts were seen in the arguments of a process."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts
        self._stop = threading.Event()
        self.seen: set[str] = set()
        self.looks = 0

    def run(self) -> None:
        """Look until told to stop."""
        while not self._stop.wait(PAUSE_S):
            self.looks += 1
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments = file.read_bytes()
                except OSError:
                    continue  # it has ended
                self.seen |= {text for text in self._texts if text.encode() in arguments}

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()


@contextmanager
def watched_arguments(*texts: str) -> Iterator[ArgumentWatch]:
    """Watch within a `with` block."""
    watch = ArgumentWatch(texts)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()
