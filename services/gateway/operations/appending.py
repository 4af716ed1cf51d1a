"""Putting a message into a journal within a bound of time, or saying that it cannot be done now."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, TypeVar

from services.gateway import problems
from shared.workflow.messages import Message

MessageT_contra = TypeVar("MessageT_contra", bound=Message, contravariant=True)

APPEND_TIMEOUT_S: Final = 5.0
"""How long a caller waits for the journal before it is told to try again."""


class _Appends(Protocol[MessageT_contra]):
    async def append(
        self, execution_id: str, message: MessageT_contra, message_id: str
    ) -> bool: ...


async def append(
    journal: _Appends[MessageT_contra], execution_id: str, message: MessageT_contra, message_id: str
) -> bool:
    """Append durably. Raises 503 when the journal does not answer in time."""
    try:
        async with asyncio.timeout(APPEND_TIMEOUT_S):
            return await journal.append(execution_id, message, message_id)
    except TimeoutError:
        raise problems.unavailable("NATS") from None
