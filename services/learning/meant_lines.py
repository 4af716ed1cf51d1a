"""Which kept lines of a user a pattern means, so that they can be forgotten one by one."""

from __future__ import annotations

import asyncio
from typing import Final

from shared.contracts.learning import (
    MEANT_EXAMPLES_LIMIT,
    MEANT_LINES_LIMIT,
    MeantLines,
    MeantLinesQuestion,
)
from shared.learning.line_glob import LineGlob
from shared.learning.records import AnyRecord, Feedback, RecordedCommand, line_digest
from shared.ports.collective import InvalidRequestError
from shared.ports.record import RecordStore

TURN: Final = 200
"""Items after which others have their turn."""


async def meant_lines(store: RecordStore, question: MeantLinesQuestion) -> MeantLines:
    """Look through all that is kept of the user. Raises `InvalidRequestError`: no pattern."""
    try:
        glob = LineGlob(question.pattern)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from None
    found: dict[str, str] = {}
    items = looked_at = 0
    async for placed in store.of_user(question.user):
        looked_at += 1
        if looked_at % TURN == 0:
            await asyncio.sleep(0)
        meant = {line for line in _lines(placed.item) if glob.means(line)}
        items += bool(meant)
        found |= {line_digest(line): line for line in sorted(meant)}
        if len(found) > MEANT_LINES_LIMIT:
            break
    return MeantLines(
        lines=tuple(found)[:MEANT_LINES_LIMIT],
        items=items,
        more=len(found) > MEANT_LINES_LIMIT,
        examples=tuple(found.values())[:MEANT_EXAMPLES_LIMIT],
    )


def _lines(item: AnyRecord) -> tuple[str, ...]:
    if isinstance(item, RecordedCommand):
        return (item.command,)
    if isinstance(item, Feedback) and item.kind == "command":
        return item.suggested, item.chosen
    return ()
