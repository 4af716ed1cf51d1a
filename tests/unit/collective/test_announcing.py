"""What the collective tells, whom it wakes, and what the sweep ends."""

from typing import Any

import pytest

from services.executor.desk import DelegationSweep, is_wanted
from shared.collective.announcing import (
    AnnouncedBroadcasts,
    AnnouncedDelegations,
    AnnouncedMemories,
)
from shared.contracts.collective import Acknowledgement, Broadcast, Memory, Origin
from shared.contracts.delegations import (
    Delegation,
    DelegationStatus,
    Offer,
    ReofferDelegation,
    WatchDelegation,
)
from shared.contracts.events import PublicEvent
from shared.contracts.history import StoredState
from shared.memory.broadcasts import MemoryBroadcasts
from shared.memory.clock import ManualClock
from shared.memory.delegations import MemoryDelegations
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.memories import MemoryMemories
from shared.ports.store import StateWrite
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import AttemptWoken, JournalMessage
from shared.workflow.state import ExecutionState, StepState

S = DelegationStatus


class Heard:
    """An event sink and a journal that drop what has the same id, as the real ones do."""

    def __init__(self) -> None:
        self.events: dict[str, PublicEvent] = {}
        self.messages: dict[str, tuple[str, JournalMessage]] = {}

    async def publish(self, event: PublicEvent, about: str = "") -> None:
        self.events.setdefault(event.id, event)

    async def append(self, execution_id: str, message: JournalMessage, message_id: str) -> bool:
        new = message_id not in self.messages
        self.messages.setdefault(message_id, (execution_id, message))
        return new

    def types(self) -> list[str]:
        return [event.type for event in self.events.values()]

    def woken(self) -> list[AttemptWoken]:
        return [m for _, m in self.messages.values() if isinstance(m, AttemptWoken)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000)


def delegation(delegation_id: str = "dl", **fields: Any) -> Delegation:
    defaults = {
        "task": "t",
        "offers": (Offer(participant="ann", at_ms=1_000, answer_by_ms=2_000),),
        "created_at_ms": 1_000,
        "deadline_ms": 9_000,
        "execution_id": "ex_1",
        "step": "ask",
        "attempt": 2,
    }
    return Delegation(id=delegation_id, **{**defaults, **fields})


async def test_answers_wake_the_leg_that_waits(heard: Heard) -> None:
    """Completion wakes the newest leg by its token; an acceptance does not, if not waited for."""
    told = AnnouncedDelegations(MemoryDelegations(), heard, heard)
    await told.offer(delegation())
    await told.change("dl", WatchDelegation(leg=3), 1_001)
    await told.accept("dl", "ann", 1_002)
    assert heard.woken() == []
    await told.complete("dl", "ann", {}, 1_003)
    (woken,) = heard.woken()
    assert (woken.step, woken.attempt, woken.leg, woken.token) == ("ask", 2, 3, "dl/3")
    assert heard.types() == ["delegation.offered", "delegation.accepted", "delegation.completed"]
    assert {event.execution_id for event in heard.events.values()} == {"ex_1"}


async def test_repeating_tells_nothing_new(heard: Heard) -> None:
    """The same answer again has the same ids: no second event, no second wake-up."""
    told = AnnouncedDelegations(MemoryDelegations(), heard, heard)
    await told.offer(delegation(wait_for="accepted"))
    for _ in range(2):
        await told.accept("dl", "ann", 1_002)
    assert (len(heard.events), len(heard.messages)) == (2, 1)


@pytest.mark.parametrize("wait_for", ["accepted", "completed"])
async def test_declining_and_cancelling_wake(heard: Heard, wait_for: str) -> None:
    """Whatever the step waits for, it must look when it is declined, and when it is cancelled."""
    told = AnnouncedDelegations(MemoryDelegations(), heard, heard)
    await told.offer(delegation(wait_for=wait_for))
    await told.decline("dl", "ann", "no", 1_001)
    reoffer = ReofferDelegation(replaces="ann", participant="ben", answer_by_ms=3_000)
    await told.change("dl", reoffer, 1_002)
    await told.cancel("dl", "over", 1_003)
    assert len(heard.woken()) == 2
    assert heard.types()[2] == "delegation.offered"


async def test_without_an_execution_nobody_is_woken(heard: Heard) -> None:
    """A delegation that no step waits for is only told."""
    told = AnnouncedDelegations(MemoryDelegations(), heard, heard)
    await told.offer(delegation(execution_id=None, step=None, attempt=None))
    await told.decline("dl", "ann", "", 1_001)
    assert heard.messages == {}


async def test_memories_are_told_without_content(heard: Heard, clock: ManualClock) -> None:
    """The event names the memory; what is in it stays where it is kept."""
    told = AnnouncedMemories(MemoryMemories(), heard, clock)
    origin = Origin(execution_id="ex_1", step="s", attempt=1)
    memory = Memory(id="m", content="password: hunter2", created_at_ms=1, origin=origin)
    assert [await told.remember(memory), await told.remember(memory)] == [True, False]
    assert await told.forget("m")
    assert not await told.forget("m")
    assert heard.types() == ["memory.remembered", "memory.forgotten"]
    assert "hunter2" not in repr(heard.events)


async def test_broadcasts_are_told(heard: Heard, clock: ManualClock) -> None:
    """Sent once, and acknowledged as often as somebody new has it."""
    told = AnnouncedBroadcasts(MemoryBroadcasts(), heard, clock)
    broadcast = Broadcast(
        id="bc", message="hello", sent_at_ms=1, expires_at_ms=10, expected=("a", "b")
    )
    await told.send(broadcast)
    await told.send(broadcast)
    for _ in range(2):
        await told.acknowledge("bc", [Acknowledgement(agent="a", at_ms=2)])
    sent, acknowledged = heard.events.values()
    assert (sent.type, sent.data["message"]) == ("broadcast.sent", "hello")
    assert acknowledged.data["missing"] == ["b"]


def state(status: ExecutionStatus, step: StepState) -> ExecutionState:
    return ExecutionState(
        execution_id="ex_1",
        template_id="t",
        template_version="1.0.0",
        category="custom",
        status=status,
        steps={"ask": step},
    )


@pytest.mark.parametrize(
    ("status", "step", "wanted"),
    [
        (ExecutionStatus.RUNNING, StepState(status=StepStatus.WAITING, attempt=2), True),
        (ExecutionStatus.RUNNING, StepState(status=StepStatus.PENDING, attempt=0), True),
        (ExecutionStatus.RUNNING, StepState(status=StepStatus.SCHEDULED, attempt=3), False),
        (ExecutionStatus.RUNNING, StepState(status=StepStatus.CANCELLED, attempt=2), False),
        (ExecutionStatus.FAILED, StepState(status=StepStatus.WAITING, attempt=2), False),
    ],
)
async def test_the_sweep_cancels_what_no_step_waits_for(
    heard: Heard, clock: ManualClock, status: ExecutionStatus, step: StepState, wanted: bool
) -> None:
    """Delegations of ended executions, steps and attempts are cancelled; others stay."""
    executions = MemoryExecutionStore()
    now = state(status, step)
    assert is_wanted(delegation(), now) is wanted
    await executions.write([StateWrite(StoredState(partition=0, seq=1, state=now), ())])
    delegations = MemoryDelegations()
    await delegations.offer(delegation())
    await DelegationSweep(delegations, executions, clock).sweep()
    kept = await delegations.get("dl")
    assert kept is not None
    assert kept.status is (S.OFFERED if wanted else S.CANCELLED)


async def test_the_sweep_expires_what_is_overdue(clock: ManualClock) -> None:
    """Past its deadline a delegation expires, whether an execution is known or not."""
    delegations = MemoryDelegations()
    await delegations.offer(delegation())
    await delegations.offer(delegation("dl_later", deadline_ms=99_000, created_at_ms=2_000))
    clock.advance(8_000)
    await DelegationSweep(delegations, MemoryExecutionStore(), clock).sweep()
    found = [await delegations.get(one) for one in ("dl", "dl_later")]
    assert [d.status for d in found if d is not None] == [S.EXPIRED, S.OFFERED]
