"""The wait command: short waits hold the agent, long ones are handed back."""

from typing import Any

from services.executor.commands.base import Cancelled, Completed, Deferred, Failed, TimedOut
from services.executor.commands.wait import WaitCommand
from shared.commands.wait import WaitParameters
from tests.unit.commands.contexts import Stage


def parameters(**given: Any) -> WaitParameters:
    return WaitParameters.model_validate(given)


async def test_short_wait_completes(stage: Stage) -> None:
    """A short wait ends after its time."""
    outcome = await WaitCommand().run(parameters(seconds=0.05), stage.context())
    assert isinstance(outcome, Completed)
    assert outcome.output["waited_s"] >= 0.05


async def test_past_moment_completes_at_once(stage: Stage) -> None:
    """A moment in the past ends the wait."""
    outcome = await WaitCommand().run(parameters(until="2001-01-01T00:00:00Z"), stage.context())
    assert isinstance(outcome, Completed)
    assert outcome.output["until"] == "2001-01-01T00:00:00Z"


async def test_long_wait_is_deferred_until_its_moment(stage: Stage) -> None:
    """A long wait names its moment; woken early it waits on, woken in time it completes."""
    now = 1_000.0
    command = WaitCommand(now=lambda: now)
    given = parameters(seconds=600)
    first = await command.run(given, stage.context())
    assert isinstance(first, Deferred)
    assert first.wake_at_s == 1_600.0
    now = 1_500.0
    early = await command.resume(given, stage.context(), first.token)
    assert early == first
    now = 1_601.0
    last = await command.resume(given, stage.context(), first.token)
    assert isinstance(last, Completed)
    assert last.output == {"until": "1970-01-01T00:26:40Z", "waited_s": 601.0}


async def test_wait_can_be_cancelled_and_time_out(stage: Stage) -> None:
    """Both ends are told apart."""
    given = parameters(seconds=4)
    assert isinstance(await WaitCommand().run(given, stage.context(deadline_s=0.02)), TimedOut)
    stage.cancelled.set()
    assert isinstance(await WaitCommand().run(given, stage.context()), Cancelled)


async def test_more_than_a_year_is_refused(stage: Stage) -> None:
    """A moment too far away fails at once."""
    outcome = await WaitCommand().run(parameters(until="2999-01-01T00:00:00Z"), stage.context())
    assert isinstance(outcome, Failed)
    assert outcome.code == "wait_too_long"
