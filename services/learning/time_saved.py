"""How much time runs saved lately is told to whoever watches: an estimate, once a minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.learning.rounds import rounds
from services.learning.table_writer import Standing, Thread
from shared.analytics.counting import ALL
from shared.analytics.fold import Analytics
from shared.analytics.periods import DAY_MS, period_of
from shared.analytics.rows import Sums
from shared.analytics.saving import Saved, handling_of, saved
from shared.analytics.views import Name
from shared.ports.clock import Clock

EVERY_S: Final = 60.0
DAYS: Final = 30
HANDLING_DAYS: Final = 62


class TimeSavedTeller:
    """Tells `tell` the two bounds, in milliseconds; while the model is being rebuilt, nothing."""

    def __init__(
        self,
        standing: Callable[[], Standing | None],
        thread: Thread,
        clock: Clock,
        tell: Callable[[int, int], None],
    ) -> None:
        self._standing = standing
        self._thread = thread
        self._clock = clock
        self._tell = tell

    async def run(self) -> None:
        """Tell, for ever: it is a figure, and what it is made of is written elsewhere."""
        await rounds(self.round, EVERY_S, waits="time saved is not told", again_s=EVERY_S)

    async def round(self) -> None:
        """Work it out, and tell it."""
        now = self._standing()
        if now is None:
            return
        now_ms = self._clock.now_ms()
        found = await self._thread.run(lambda: saved_lately(now.fold, now_ms))
        self._tell(found.least_ms, found.most_ms)


def saved_lately(fold: Analytics, now_ms: int) -> Saved:
    """What the runs of the last 30 days saved, today included; how long people take between
    commands is of the months that hold the last 62, as it is for gateways."""
    days = [Name("totals", "", period_of(now_ms - n * DAY_MS, "d")) for n in range(DAYS)]
    months = {period_of(now_ms - n * DAY_MS, "m") for n in range(HANDLING_DAYS + 1)}
    handling, gaps = handling_of(
        Sums(fold.texts([Name("totals", "", one) for one in sorted(months)])).row((ALL,))
    )
    return saved(Sums(fold.texts(days)).row((ALL,)), handling, gaps)
