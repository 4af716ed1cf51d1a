"""How often steps start on this agent: the rate limits of templates, held where the starts are.

A limit belongs to a step of a template, whichever executions and versions ask for it. What comes
too early goes back to its pool for as long as it takes: another agent may have it, if it may go to
another. The starts are forgotten with the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from shared.contracts.tasks import Task

MAX_WAIT_S: Final = 60.0
"""What has to wait longer is handed back again."""


class Starts:
    """The last starts of every limited step on one agent."""

    def __init__(self, elapsed_s: Callable[[], float]) -> None:
        self._elapsed_s = elapsed_s
        self._times: dict[tuple[str, str], deque[float]] = {}

    def take(self, task: Task) -> float:
        """Note the start of a task; or how many seconds it has to wait, more than 0.

        A later leg goes on with what was started, and waits for nothing.
        """
        limit = task.rate_limit
        if limit is None or task.leg > 0:
            return 0.0
        now_s = self._elapsed_s()
        times = self._times.setdefault(_key(task), deque())
        while times and times[0] <= now_s - limit.per_s:
            times.popleft()
        if len(times) >= limit.starts:
            return min(times[-limit.starts] + limit.per_s - now_s, MAX_WAIT_S)
        times.append(now_s)
        return 0.0

    def give_back(self, task: Task) -> None:
        """The start that was noted last did not come about."""
        times = self._times.get(_key(task))
        if times and task.rate_limit is not None and task.leg == 0:
            times.pop()


def _key(task: Task) -> tuple[str, str]:
    """The step, without the number of an instance."""
    return task.template_id, task.step.partition("[")[0]
