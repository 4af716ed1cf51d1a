"""The list of event types, which filters are checked against."""

from services.gateway.app import audit_types
from shared.collective.announcing import AnnouncedBroadcasts, AnnouncedMemories
from shared.contracts.collective import Acknowledgement, Broadcast, Memory
from shared.contracts.event_types import COLLECTIVE_TYPES, EXECUTION_TYPES
from shared.memory.broadcasts import MemoryBroadcasts
from shared.memory.events import MemoryEvents
from shared.memory.memories import MemoryMemories
from shared.runtime.clock import SystemClock


async def test_what_the_collective_says_is_listed() -> None:
    """Every event of memories and broadcasts is in the list, and none is there for nothing."""
    events, clock = MemoryEvents(), SystemClock()
    memories = AnnouncedMemories(MemoryMemories(), events, clock)
    await memories.remember(Memory(id="mem_1", content="x", created_at_ms=1))
    await memories.forget("mem_1")
    broadcasts = AnnouncedBroadcasts(MemoryBroadcasts(), events, clock)
    sent = Broadcast(id="bc_1", message="x", sent_at_ms=1, expires_at_ms=2)
    await broadcasts.send(sent)
    await broadcasts.acknowledge("bc_1", [Acknowledgement(agent="a", at_ms=1)])
    last, told = await events.last_seq(), set()
    async for one in events.read(0):
        told.add(one.event.type)
        if one.seq == last:
            break
    listed = {one for one in COLLECTIVE_TYPES if not one.startswith("delegation.")}
    assert told == listed


def test_only_public_events_of_executions_are_listed() -> None:
    """What the coordinator keeps to itself cannot be followed."""
    assert {"execution.completed", "step.failed", "approval.requested"} <= EXECUTION_TYPES
    assert not {"timer.set", "step.scheduled"} & EXECUTION_TYPES


def test_audit_types_follow_the_routes() -> None:
    """Calls that change something are audited, calls that read are not."""
    assert {"audit.issue_key", "audit.execute_workflow", "audit.update_webhook"} <= audit_types()
    assert "audit.list_keys" not in audit_types()
