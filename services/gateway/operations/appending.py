"""Putting a message into a journal within a bound of time, or saying that it cannot be done now."""

from __future__ import annotations

import asyncio
from typing import Final

from services.gateway import problems
from shared.ports.journal import Journal
from shared.workflow.messages import JournalMessage

APPEND_TIMEOUT_S: Final = 5.0
"""How long a caller waits for the journal before it is told to try again."""


async def append(
    journal: Journal, execution_id: str, message: JournalMessage, message_id: str
) -> bool:
    """Append durably. Raises 503 when the journal does not answer in time."""
    try:
        async with asyncio.timeout(APPEND_TIMEOUT_S):
            return await journal.append(execution_id, message, message_id)
    except TimeoutError:
        raise problems.unavailable("NATS") from None
