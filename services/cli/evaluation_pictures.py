"""The door to the pictures of `hv eval --plot`: what draws them is not installed everywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.outcome import CliError

if TYPE_CHECKING:
    from shared.learning.scores import Outcome


def draw_or_say(
    folder: Path,
    title: str,
    outcomes: Sequence[Outcome],
    *,
    among: Sequence[int] = (1, 3, 5),
    of: str = "commands",
) -> None:
    """Draw into `folder`, and say where; raises `CliError` where nothing can draw."""
    try:
        from services.cli.evaluation_plots import draw
    except ModuleNotFoundError as error:
        raise CliError(f"--plot needs {error.name}; it is in requirements-dev.lock") from None
    for path in draw(folder, title, outcomes, among=among, of=of):
        sys.stderr.write(f"drawn: {path}\n")
