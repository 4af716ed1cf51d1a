"""Faults: what a simulator can do to the effects of the memory ports."""

import asyncio

import pytest

from shared.contracts import subjects
from shared.contracts.publishing import WireEvent
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.faults import Action, Faults, OutageError
from shared.memory.journal import MemoryJournal
from tests.contract.bus.samples import EXECUTION, event, request, task
from tests.contract.store.test_execution_store import write


class Failing(Faults):
    """Raises `OutageError` the next so many times, before or after an action."""

    def __init__(self, *, before: dict[Action, int], after: dict[Action, int]) -> None:
        self._left = {"before": before, "after": after}
        self.asked: list[tuple[str, Action]] = []

    async def before(self, action: Action, subject: str) -> None:
        self._ask("before", action)

    async def after(self, action: Action, subject: str) -> None:
        self._ask("after", action)

    def _ask(self, when: str, action: Action) -> None:
        self.asked.append((when, action))
        if self._left[when].get(action, 0) > 0:
            self._left[when][action] -= 1
            raise OutageError(f"{when} {action.value}")


async def test_an_append_may_fail_before_or_after_it_happened() -> None:
    """In the first case nothing is stored, in the second the caller does not know that it is."""
    faults = Failing(before={Action.APPEND: 1}, after={Action.APPEND: 1})
    journal = MemoryJournal(MemoryBus(faults=faults))
    for _ in range(2):
        with pytest.raises(OutageError):
            await journal.append(EXECUTION, request("a"), "one")
    assert not await journal.append(EXECUTION, request("a"), "one")


async def test_a_commit_tries_again_until_it_succeeds() -> None:
    """Lost answers and outages change neither order nor number of what is done."""
    faults = Failing(before={Action.EVENT: 3}, after={Action.EVENT: 2, Action.TASK: 1})
    bus = MemoryBus(faults=faults)
    effects = MemoryEffects(bus)
    for number in (1, 2):
        effects.event(WireEvent.of(event(number)))
        effects.task(subjects.pool_any(), task(f"s{number}"), again=False)
    await effects.commit()
    assert await bus.events.last_seq() == 2
    assert len(bus.tasks) == 2


async def test_a_crash_in_a_commit_leaves_the_first_part_done() -> None:
    """A cancelled commit has done what came before, and nothing after."""

    class Crashing(Faults):
        async def before(self, action: Action, subject: str) -> None:
            if action is Action.TASK:
                raise asyncio.CancelledError

    bus = MemoryBus(faults=Crashing())
    effects = MemoryEffects(bus)
    effects.event(WireEvent.of(event(1)))
    effects.task(subjects.pool_any(), task(), again=False)
    effects.event(WireEvent.of(event(2)))
    with pytest.raises(asyncio.CancelledError):
        await effects.commit()
    assert (await bus.events.last_seq(), len(bus.tasks)) == (1, 0)


async def test_a_crash_may_come_between_histories_and_states() -> None:
    """Then the history is there, and the state is the old one; written again, all is whole."""

    class BetweenHistoryAndStates(Faults):
        armed = True

        async def before(self, action: Action, subject: str) -> None:
            if self.armed and (action, subject) == (Action.WRITE, "states"):
                self.armed = False
                raise OutageError("the store is away")

    store = MemoryExecutionStore(BetweenHistoryAndStates())
    with pytest.raises(OutageError):
        await store.write([write(6, 5, 6)])
    assert ((await store.load(["ex_1"])).states, len(store.history("ex_1"))) == ({}, 2)
    await store.write([write(8, 5, 6, 7, 8)])
    assert [entry.seq for entry in store.history("ex_1")] == [5, 6, 7, 8]
