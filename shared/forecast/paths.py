"""The critical path: the steps without which a run could not have ended earlier."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.forecast.simulating import Runs
from shared.workflow.program import Program


def critical(program: Program, runs: Runs) -> Iterator[tuple[str, float, bool]]:
    """Each step that is on the critical path of some run: the share of runs in which it is, and
    whether it is on the path that is critical most often. In the program's order."""
    on_path = _on_path(program, runs)
    rows, counts = np.unique(on_path, axis=0, return_counts=True)
    main = rows[int(counts.argmax())]
    shares = on_path.mean(axis=0)
    for column, name in enumerate(program.graph.order):
        if shares[column] > 0:
            yield name, float(shares[column]), bool(main[column])


def _on_path(program: Program, runs: Runs) -> NDArray[np.bool_]:
    """By run and step. From the last that ended back: of those that it waited for the last one."""
    order = program.graph.order
    column = {name: index for index, name in enumerate(order)}
    ran = runs.start >= 0
    ends = np.where(ran, runs.end, -1)
    on_path = np.zeros(ends.shape, dtype=bool)
    some = ran.any(axis=1)
    on_path[np.flatnonzero(some), ends.argmax(axis=1)[some]] = True
    for index in range(len(order) - 1, -1, -1):
        before = np.array(_before(program, order[index], column), dtype=np.int64)
        rows = np.flatnonzero(on_path[:, index])
        if not before.size or not rows.size:
            continue
        latest = ends[np.ix_(rows, before)]
        known = latest.max(axis=1) >= 0
        chosen = before[latest.argmax(axis=1)]
        on_path[rows[known], chosen[known]] = True
    return on_path


def _before(program: Program, name: str, column: dict[str, int]) -> list[int]:
    """What a step waited for, seen through steps that take no time; of a section the steps before
    it as a whole."""
    routes = program.graph.routes
    before = program.graph.dependencies[name]
    if not before and (name in routes.always or name in routes.on_failure):
        return [column[n] for n in program.graph.ancestors[name] if column[n] < column[name]]
    found: dict[str, None] = {}
    waiting = list(before)
    while waiting:
        other = waiting.pop()
        if other not in found:
            found[other] = None
            if not _takes_time(program, other):
                waiting += program.graph.dependencies[other]
    return [column[n] for n in found]


def _takes_time(program: Program, name: str) -> bool:
    step = program.steps[name].step
    return bool(step.command) and step.when is None
