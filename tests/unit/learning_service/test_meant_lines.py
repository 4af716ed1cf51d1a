"""Which kept lines of a user a pattern means."""

from __future__ import annotations

import pytest

from services.learning.meant_lines import meant_lines
from shared.contracts.learning import MEANT_LINES_LIMIT, MeantLinesQuestion
from shared.learning.records import AnyRecord, line_digest
from shared.memory.record import MemoryRecordStore
from shared.ports.collective import InvalidRequestError
from shared.ports.record import Placed
from tests.contract.record.samples import command, feedback, run


async def kept(*items: AnyRecord) -> MemoryRecordStore:
    store = MemoryRecordStore()
    await store.put([Placed(place, item) for place, item in enumerate(items, start=1)])
    return store


async def test_the_users_own_lines() -> None:
    """Different lines once, in the order in which they were kept, also those of feedback; nobody
    else's."""
    store = await kept(
        command("1", "mysql b"),
        command("2", "mysql a"),
        command("3", "mysql b"),
        command("4", "mysql c", user="bob"),
        feedback("5", "ls", "mysql d"),
        command("6", "ls"),
        run("7", by="ada"),
    )
    found = await meant_lines(store, MeantLinesQuestion(user="ada", pattern="mysql ?"))
    assert found.examples == ("mysql b", "mysql a", "mysql d")
    assert found.lines == tuple(map(line_digest, found.examples))
    assert (found.items, found.more) == (4, False)


async def test_it_is_bounded() -> None:
    """As many as may be forgotten so are told; that there are more is told, too."""
    items = [command(str(n), f"echo {n:04}") for n in range(MEANT_LINES_LIMIT + 1)]
    question = MeantLinesQuestion(user="ada", pattern="echo *")
    found = await meant_lines(await kept(*items[:-1]), question)
    assert (len(found.lines), found.more) == (MEANT_LINES_LIMIT, False)
    found = await meant_lines(await kept(*items), question)
    assert (len(found.lines), found.more) == (MEANT_LINES_LIMIT, True)


async def test_no_pattern() -> None:
    """What names nothing is refused."""
    with pytest.raises(InvalidRequestError, match="names at least one"):
        await meant_lines(await kept(), MeantLinesQuestion(user="ada", pattern="**"))
