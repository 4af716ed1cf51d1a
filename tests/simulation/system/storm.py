"""The storm: what strikes processes, servers, leases and clocks, one blow after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

from shared.memory.bus import MemoryBus
from tests.simulation.system.loop_clock import LoopClock
from tests.simulation.system.processes import Process
from tests.simulation.system.servers import Streams, Tasks
from tests.simulation.system.weather import Trace, Weather


class Storm:
    """Strikes until it is calm. `poison` is what it has put into the journal, by execution and
    sequence."""

    def __init__(
        self,
        rng: random.Random,
        weather: Weather,
        servers: tuple[MemoryBus, Streams, Tasks],
        clock: LoopClock,
        processes: Mapping[str, Process],
        roots: Sequence[str],
        trace: Trace,
        partitions: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._rng = rng
        self._weather = weather
        self._bus, self._streams, self._tasks = servers
        self._clock = clock
        self._processes = processes
        self._roots = roots
        self._trace = trace
        self._partitions = partitions
        self.poison: list[tuple[str, int]] = []

    async def rage(self) -> None:
        """One blow after the other, until it is cancelled."""
        rng = self._rng
        pace_s = rng.choice((1.0, 3.0, 10.0))
        blows = (
            self._cut, self._freeze, self._kill, self._store_away, self._servers_away,
            self._restart_queue, self._jump, self._take_lease, self._cut_reader, self._put_poison,
            self._hand_over_amid_outage,
            self._hand_over_amid_reading,
            self._hand_over_amid_reading,
        )  # fmt: skip
        while True:
            await asyncio.sleep(rng.uniform(0, 2 * pace_s))
            blow = rng.choice(blows)
            self._trace.note(blow.__name__)
            blow()

    def _someone(self) -> Process:
        return self._processes[self._rng.choice(sorted(self._processes))]

    def _cut(self) -> None:
        self._someone().cut_until = self._loop.time() + self._rng.choice((1, 5, 12))

    def _freeze(self) -> None:
        self._someone().still_until = self._loop.time() + self._rng.choice((1, 8, 20))

    def _kill(self) -> None:
        self._someone().kill()

    def _store_away(self) -> None:
        self._weather.store_away_until = self._loop.time() + self._rng.choice((1, 5, 15))

    def _servers_away(self) -> None:
        self._weather.servers_away_until = self._loop.time() + self._rng.choice((1, 5, 10))

    def _restart_queue(self) -> None:
        self._tasks.restart()

    def _jump(self) -> None:
        self._clock.jump(self._rng.choice((-1_500, -200, 300, 2_000)))

    def _take_lease(self) -> None:
        self._take_lease_of(self._rng.randrange(self._partitions))

    def _take_lease_of(self, number: int) -> None:
        self._bus.leases.pop(f"partition.{number}", None)

    def _cut_reader(self) -> None:
        self._cut_reader_of(self._rng.randrange(self._partitions))

    def _cut_reader_of(self, number: int) -> None:
        """A consumer is gone: its reader learns of it and opens the partition again."""
        cursor = self._streams.cursor_of(number)
        if cursor is not None:
            cursor.lost = True
            cursor.on_news()

    def _hand_over_amid_outage(self) -> None:
        """A batch waits for the store while its partition goes to another, or is opened again."""
        self._store_away()
        away_s = self._weather.store_away_until - self._loop.time()
        blow = self._rng.choice((self._take_lease, self._cut_reader))
        self._loop.call_later(self._rng.uniform(0, away_s), blow)

    def _hand_over_amid_reading(self) -> None:
        """The same while states are read, slowly: what arrives is of before."""
        number = self._rng.randrange(self._partitions)
        self._weather.slow_reads_until = self._loop.time() + 12
        self._cut_reader_of(number)
        for _ in range(3):
            blow = self._rng.choice((self._take_lease_of, self._cut_reader_of))
            self._loop.call_later(self._rng.uniform(0.5, 10), blow, number)

    def _put_poison(self) -> None:
        if self._roots:
            execution_id = self._rng.choice(self._roots)
            if self._streams.append(execution_id, b"poison", None):
                self.poison.append((execution_id, max(self._streams.appended_at[execution_id])))
