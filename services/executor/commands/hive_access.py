"""What the hive commands share: reaching the hive, whom to ask, and how its refusals are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from services.executor.commands.base import CommandContext, Failed, Outcome, StopProof
from services.executor.commands.interruption import Interruption, interrupted, race
from shared.contracts.collective import Origin
from shared.contracts.control import AnswerT, QuestionT, Verb
from shared.ports.collective import CollectiveError, HiveUnavailableError
from shared.ports.control import Answers
from shared.ports.hive import HivePort

UNAVAILABLE = "hive_unavailable"


async def with_hive(
    context: CommandContext, work: Callable[[HivePort], Awaitable[Outcome]]
) -> Outcome:
    """The outcome of `work`, or why the hive refused, was away, or the work was interrupted."""
    hive = context.hive
    if hive is None:
        return Failed(UNAVAILABLE, "this agent is not connected to the hive's services")

    async def run() -> Outcome:
        return await work(hive)

    try:
        done = await race(run(), context)
    except HiveUnavailableError as error:
        return Failed(UNAVAILABLE, str(error), retryable=True)
    except CollectiveError as error:
        return Failed(error.code, str(error))
    except (TimeoutError, ConnectionError) as error:
        return Failed(UNAVAILABLE, f"the bus does not answer: {error}", retryable=True)
    if isinstance(done, Interruption):
        return interrupted(done, StopProof(True, "it only asked others; nothing was started here"))
    return done


def origin_of(context: CommandContext) -> Origin:
    """The attempt that a command runs for."""
    return Origin(execution_id=context.execution_id, step=context.step_id, attempt=context.attempt)


async def ask_agents(
    hive: HivePort,
    verb: Verb[QuestionT, AnswerT],
    question: QuestionT,
    named: Sequence[str] | None,
    deadline_s: float,
) -> Answers[AnswerT]:
    """Ask the named agents, or every live one."""
    if named is not None:
        return await hive.control.ask(verb, question, list(dict.fromkeys(named)), deadline_s)
    live = [record.name for record in await hive.agents.live()]
    return await hive.control.ask_all(verb, question, live, deadline_s)


def is_enough(require: str, have: int, asked: int) -> bool:
    """Whether `have` of `asked` are enough. Without anybody asked, only `none` is satisfied."""
    if require == "none":
        return True
    return have > 0 if require == "any" else have >= asked > 0
