"""Progress lines on their way through a real server."""

import asyncio
from contextlib import aclosing

from cryptography.fernet import Fernet

from services.executor.runner.identity import Held
from services.executor.runner.progress import LINE_CHARACTERS, Progress
from services.executor.runner.redaction import Redaction
from shared.adapters.nats.events import NatsLogStream
from shared.adapters.nats.log_sink import NatsLogSink
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.contracts import subjects
from shared.contracts.tasks import Task
from shared.runtime.clock import SystemClock
from shared.runtime.sealing import Sealer
from tests.contract.bus.samples import task
from tests.integration.bus.conftest import Shore

LINES = 600


async def held_task(shore: Shore) -> tuple[Held, NatsTaskFeed]:
    feed = NatsTaskFeed(shore.bus, "alpha", [], slots=1)
    await feed.start()
    subject = f"hive.task.{subjects.pool_host('alpha')}.x"
    await shore.bus.jetstream.publish(subject, task("a").model_dump_json().encode())
    [delivery] = await feed.take(1)
    assert isinstance(delivery.task, Task)
    return Held(delivery, delivery.task), feed


async def test_long_lines_arrive_every_one(shore: Shore) -> None:
    """Long lines that come all at once, of characters that are long as JSON, arrive in order."""
    held, feed = await held_task(shore)
    redaction = Redaction(Sealer(Fernet.generate_key()), ())
    progress = Progress(held, "alpha", NatsLogSink(shore.bus), SystemClock(), redaction)
    for _ in range(LINES):
        progress.emit("stdout", "\x01" * (LINE_CHARACTERS + 1))
    await progress.close()
    numbers: list[int] = []
    # The server stores what it was sent a moment later.
    async with (
        asyncio.timeout(60),
        aclosing(NatsLogStream(shore.bus).read(held.task.execution_id, follow=True)) as stored,
    ):
        async for found in stored:
            numbers += [line.number for line in found.chunk.lines]
            if len(numbers) >= LINES:
                break
    assert numbers == list(range(1, LINES + 1))
    await feed.close()
