"""What may be put back from quarantine: whatever this version reads, of executions and actors."""

from __future__ import annotations

import pytest

from services.gateway.operations.quarantine import _readable
from services.gateway.problems import ProblemError
from shared.contracts.quarantine import QuarantineEntry
from shared.workflow.concurrency_key import SlotFreed, key_id
from shared.workflow.messages import Message, PauseRequested

KEY = key_id("deploy")


def entry(about: str, payload: str) -> QuarantineEntry:
    made = {"id": f"{about}:1", "execution_id": about, "partition": 0, "seq": 1, "at_ms": 1}
    return QuarantineEntry.model_validate({**made, "reason": "r", "payload": payload})


@pytest.mark.parametrize(
    ("about", "message"),
    [("ex_1", PauseRequested()), (KEY, SlotFreed(execution_id="ex_1", slot="*"))],
)
def test_each_kind_of_message_is_read_as_what_it_is(about: str, message: Message) -> None:
    """A message to an execution, and one to a concurrency key."""
    assert _readable(entry(about, message.model_dump_json())) == message


@pytest.mark.parametrize("about", ["ex_1", "sc_1", KEY])
def test_what_cannot_be_read_stays(about: str) -> None:
    """With the reason, on one line, and what to do."""
    with pytest.raises(ProblemError, match=r"its cause is still there: .*discard the message"):
        _readable(entry(about, '{"type": "nonsense"}'))
