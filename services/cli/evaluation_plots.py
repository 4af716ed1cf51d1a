"""Pictures of how good predictions were; needs matplotlib, which only developers install."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from shared.learning.scores import Outcome, bins_of

mpl.use("Agg")

WINDOW = 500
"""Commands over which the accuracy is averaged, where there are enough."""

_LEAST_WINDOWS = 4
"""With fewer predictions the window is narrower, so that there is a line to see."""

_SIZE = (6.0, 4.0)
_DPI = 100


def draw(
    folder: Path,
    title: str,
    outcomes: Sequence[Outcome],
    *,
    among: Sequence[int] = (1, 3, 5),
    of: str = "commands",
) -> list[Path]:
    """Write the pictures of `outcomes` into `folder`; returns their files.

    `among`: accuracy is drawn for what came among so many first; `of` what was predicted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "calibration": _calibration(title, outcomes),
        "accuracy": _accuracy(title, outcomes, among, of),
    }
    written = []
    for name, figure in pictures.items():
        path = folder / f"{title}-{name}.png"
        figure.savefig(path, dpi=_DPI, metadata={"Software": None})
        written.append(path)
    return written


def _calibration(title: str, outcomes: Sequence[Outcome]) -> Figure:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    bins = bins_of(outcomes)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    most = max(each.size for each in bins)
    sizes = [20 + 180 * each.size / most for each in bins]
    axes.scatter([each.confidence for each in bins], [each.right for each in bins], s=sizes)
    axes.set(
        title=title, xlabel="confidence of the first suggestion", ylabel="how often it was right"
    )
    return figure


def _accuracy(title: str, outcomes: Sequence[Outcome], among: Sequence[int], of: str) -> Figure:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot(ylim=(0, 1))
    places = np.array([outcome.place for outcome in outcomes])
    window = min(WINDOW, max(1, len(places) // _LEAST_WINDOWS))
    for first in among:
        hits = ((places >= 1) & (places <= first)).astype(float)
        mean = np.convolve(hits, np.ones(window) / window, mode="valid")
        axes.plot(np.arange(window, len(places) + 1), mean, label=_label(first))
    axes.set(title=title, xlabel=of, ylabel=f"right, of the last {window}")
    axes.legend(loc="lower right")
    return figure


def _label(first: int) -> str:
    return "the first" if first == 1 else f"among the first {first}"
