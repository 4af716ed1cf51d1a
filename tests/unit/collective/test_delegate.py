"""`hv-delegate`: offered, answered, re-offered, and at an end in any case."""

from typing import Any

import pytest

from services.executor.commands.base import Completed, Deferred, Failed, Outcome
from shared.contracts.collective import Participant
from shared.contracts.delegations import DelegationStatus
from tests.unit.collective.hive import LittleHive

ID = "dl_ex_1.step.1"
TASK = {"task": "look", "deadline_s": 3_600, "answer_within_s": 600}


@pytest.fixture
async def staffed(hive: LittleHive) -> LittleHive:
    """Ann, and then Ben, can do it; Cleo cannot."""
    for name, able in (("ann", ("db",)), ("ben", ("db",)), ("cleo", ())):
        participant = Participant(name=name, kind="human", capabilities=able)
        await hive.port.participants.save(participant)
    return hive


async def start(hive: LittleHive, **fields: Any) -> Deferred:
    outcome = await hive.run("hv-delegate", {**TASK, "required_capabilities": ["db"], **fields})
    return waiting(outcome)


async def go_on(hive: LittleHive, token: str, leg: int = 1, **fields: Any) -> Outcome:
    parameters = {**TASK, "required_capabilities": ["db"], **fields}
    return await hive.run("hv-delegate", parameters, leg=leg, token=token)


def waiting(outcome: Outcome) -> Deferred:
    assert isinstance(outcome, Deferred), outcome
    return outcome


async def test_offers_and_waits(staffed: LittleHive) -> None:
    """It is offered to the least loaded, and waits until the answer is due."""
    offered = await start(staffed)
    now_s = staffed.clock.now_ms() / 1000
    assert (offered.token, offered.wake_at_s) == (f"{ID}/0", now_s + 600)
    assert offered.output["participant"] == "ann"
    assert await staffed.port.delegations.open_counts() == {"ann": 1}


async def test_the_least_loaded_is_asked(staffed: LittleHive) -> None:
    """A second task goes to who has fewer."""
    await start(staffed)
    parameters = {**TASK, "required_capabilities": ["db"]}
    second = waiting(await staffed.run("hv-delegate", parameters, attempt=2))
    assert second.output["participant"] == "ben"


async def test_accepted_and_completed(staffed: LittleHive) -> None:
    """Woken after the completion, the step has its result."""
    offered = await start(staffed)
    now = staffed.clock.now_ms()
    await staffed.port.delegations.accept(ID, "ann", now)
    accepted = waiting(await go_on(staffed, offered.token))
    assert accepted.token == f"{ID}/1"
    assert accepted.wake_at_s == now / 1000 + 900
    await staffed.port.delegations.complete(ID, "ann", {"found": "a full disk"}, now)
    done = await go_on(staffed, accepted.token, leg=2)
    assert isinstance(done, Completed)
    assert done.output["result"] == {"found": "a full disk"}


@pytest.mark.parametrize("wait_for", ["offered", "accepted"])
async def test_need_not_wait_for_the_end(staffed: LittleHive, wait_for: str) -> None:
    """The step completes when what it waits for is reached."""
    parameters = {**TASK, "wait_for": wait_for}
    outcome = await staffed.run("hv-delegate", parameters)
    if wait_for == "accepted":
        await staffed.port.delegations.accept(ID, "ann", staffed.clock.now_ms())
        outcome = await go_on(staffed, waiting(outcome).token, wait_for="accepted")
    assert isinstance(outcome, Completed)
    assert outcome.output["status"] == wait_for


async def test_declined_goes_to_the_next(staffed: LittleHive) -> None:
    """A refusal passes it on at once."""
    offered = await start(staffed)
    await staffed.port.delegations.decline(ID, "ann", "ill", staffed.clock.now_ms())
    again = waiting(await go_on(staffed, offered.token))
    assert (again.output["participant"], again.output["offers"]) == ("ben", 2)
    assert staffed.lines[-1] == "ann: declined, ill; offered to ben"


async def test_unanswered_goes_to_the_next(staffed: LittleHive) -> None:
    """Silence until the answer is due passes it on; woken too early, it only waits."""
    offered = await start(staffed)
    early = waiting(await go_on(staffed, offered.token))
    assert early.output["participant"] == "ann"
    staffed.clock.advance(600_000)
    late = waiting(await go_on(staffed, early.token, leg=2))
    assert late.output["asked"] == ["ann", "ben"]


async def test_nobody_left(staffed: LittleHive) -> None:
    """When everybody who fits has declined, the step fails and tells who said what."""
    offered = await start(staffed)
    await staffed.port.delegations.decline(ID, "ann", "ill", staffed.clock.now_ms())
    await go_on(staffed, offered.token)
    await staffed.port.delegations.decline(ID, "ben", "", staffed.clock.now_ms())
    ended = await go_on(staffed, f"{ID}/1", leg=2)
    assert isinstance(ended, Failed)
    assert ended.code == "no_participant_left"
    assert "ann: declined, ill; ben: declined" in ended.message
    assert ended.output["status"] == "expired"


async def test_nobody_fits(staffed: LittleHive) -> None:
    """Nobody with the capability: a clear failure, and nothing is left behind."""
    outcome = await staffed.run("hv-delegate", {**TASK, "required_capabilities": ["magic"]})
    assert isinstance(outcome, Failed)
    assert outcome.code == "no_participant"
    assert "magic" in outcome.message
    assert await staffed.port.delegations.get(ID) is None


async def test_only_the_named(staffed: LittleHive) -> None:
    """`participants` limits who is asked."""
    offered = await start(staffed, participants=["ben", "cleo"])
    assert offered.output["participant"] == "ben"


@pytest.mark.parametrize("accepted", [True, False])
async def test_the_deadline_ends_it(staffed: LittleHive, accepted: bool) -> None:
    """Accepted or not, at its deadline it fails, and can be answered no more."""
    offered = await start(staffed)
    if accepted:
        await staffed.port.delegations.accept(ID, "ann", staffed.clock.now_ms())
    staffed.clock.advance(3_600_000)
    ended = await go_on(staffed, offered.token)
    assert isinstance(ended, Failed)
    assert ended.code == "deadline_passed"
    kept = await staffed.port.delegations.get(ID)
    assert kept is not None
    assert kept.status is DelegationStatus.EXPIRED


async def test_cancelled_by_somebody(staffed: LittleHive) -> None:
    """A delegation that was cancelled fails the step with the reason."""
    offered = await start(staffed)
    await staffed.port.delegations.cancel(ID, "not needed", staffed.clock.now_ms())
    ended = await go_on(staffed, offered.token)
    assert isinstance(ended, Failed)
    assert (ended.code, "not needed" in ended.message) == ("delegation_cancelled", True)


async def test_an_attempt_delivered_again_goes_on(staffed: LittleHive) -> None:
    """The first leg twice makes one delegation, and the token of the newer leg."""
    await start(staffed)
    parameters = {**TASK, "required_capabilities": ["db"]}
    again = waiting(await staffed.run("hv-delegate", parameters, leg=1))
    assert again.token == f"{ID}/1"
    assert again.output["asked"] == ["ann"]
