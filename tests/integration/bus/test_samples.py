"""What is read off the bus for metrics, on a real server."""

import asyncio

from nats.js.api import ConsumerConfig

from shared.adapters.nats.samples import NatsBusSamples
from shared.contracts import subjects
from tests.integration.bus.conftest import Shore

POOLS = 300
"""More than the server lists in one answer (256)."""


async def test_queues_of_a_large_fleet_are_counted(shore: Shore) -> None:
    """Tasks in the pools of every agent count, however many there are; other consumers do not."""
    names = [subjects.pool_host(f"agent-{n}") for n in range(POOLS)]
    jetstream = shore.bus.jetstream
    pools = {subjects.pool_consumer(name): f"hive.task.{name}.>" for name in names}
    for consumer, subject in {**pools, "somebody": "hive.task.none.>"}.items():
        config = ConsumerConfig(durable_name=consumer, filter_subject=subject)
        await jetstream.add_consumer(subjects.TASKS, config)
    await asyncio.gather(*(jetstream.publish(f"hive.task.{name}.x", b"{}") for name in names))
    assert await NatsBusSamples(shore.bus).queues() == {"any": 0, "cap": 0, "host": POOLS}


async def test_what_the_journal_knows_of_an_execution(shore: Shore) -> None:
    """Whether it holds anything about one, also for names that are no subject."""
    samples = NatsBusSamples(shore.bus)
    partition = subjects.partition_of("ex_known")
    await shore.bus.jetstream.publish(subjects.journal(partition, "ex_known"), b"{}")
    assert await samples.in_journal("ex_known")
    for other in ("ex_other", "*", ">", "a b", "a.b"):
        assert not await samples.in_journal(other), other
