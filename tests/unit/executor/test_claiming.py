"""A claim is a request: what the coordinator's decision, its silence and its lateness lead to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from services.executor.runner.claiming import Claims, Verdict
from services.executor.runner.grant import RELY_S
from services.executor.runner.identity import Held
from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimQuestion
from shared.contracts.subjects import partition_of
from shared.contracts.tasks import Task
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.journal import MemoryJournal
from shared.memory.orders import MemoryOrders
from shared.memory.tasks import MemoryTaskFeed
from tests.simulation.virtual_time import run_virtually

PARTITION = partition_of("ex_1", 16)
TASK = Task(
    execution_id="ex_1",
    template_id="t",
    step="a",
    attempt=1,
    leg=0,
    command="shell",
    parameters={},
    timeout_s=1,
)


@dataclass
class Agent:
    """One agent's claims over a bus in memory, with a clock that is set by hand."""

    bus: MemoryBus = field(default_factory=MemoryBus)
    now_s: float = 100.0
    asked: list[ClaimQuestion] = field(default_factory=list)
    answers: list[ClaimAnswer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.claims = Claims(
            MemoryJournal(self.bus), MemoryOrders(self.bus), "one", "h", elapsed_s=self.elapsed
        )

    def elapsed(self) -> float:
        return self.now_s

    async def start(self, *, again: bool = False) -> Held:
        orders = MemoryOrders(self.bus)
        await orders.on_decided("one", self.claims.decisions.take)
        await orders.answer_claims(self._answer)
        effects = MemoryEffects(self.bus)
        effects.task("any._", TASK, again=again)
        await effects.commit()
        feed = MemoryTaskFeed(self.bus, "one", [], slots=1)
        await feed.start()
        [delivery] = await feed.take(1)
        return Held(delivery, TASK)

    async def _answer(self, _partition: int, question: ClaimQuestion) -> ClaimAnswer | None:
        self.asked.append(question)
        return self.answers.pop(0)

    async def decide(self, *, granted: bool) -> None:
        """Say what became of the claim, as a coordinator does."""
        effects = MemoryEffects(self.bus)
        effects.decided(
            ClaimDecision(
                execution_id="ex_1",
                step="a",
                attempt=1,
                leg=0,
                agent="one",
                granted=granted,
                fence=7 if granted else 0,
            )
        )
        await effects.commit()


async def _claiming(agent: Agent) -> tuple[Held, asyncio.Task[Verdict]]:
    held = await agent.start()
    verdict = asyncio.create_task(agent.claims.claim(held))
    await asyncio.sleep(0.05)
    return held, verdict


async def test_nothing_starts_before_it_is_granted() -> None:
    """A claim that is in the journal waits; the grant lets it start, with its fencing token."""
    agent = Agent()
    held, verdict = await _claiming(agent)
    assert held.claimed
    assert not verdict.done()
    await agent.decide(granted=True)
    assert await verdict is Verdict.RUN
    assert held.grant is not None
    assert (held.grant.fence, held.grant.is_good) == (7, True)
    assert agent.asked == []


async def test_a_refused_claim_starts_nothing() -> None:
    """What was ended before the claim is done with, without a report."""
    agent = Agent()
    held, verdict = await _claiming(agent)
    await agent.decide(granted=False)
    assert await verdict is Verdict.DONE
    assert held.grant is None


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_grant_that_comes_too_late_is_asked_for_again(*, stopping: bool) -> None:
    """An agent that stood still for longer than a grant is good asks; if the attempt is still its
    own it starts, unless it is to be stopped."""
    agent = Agent(answers=[ClaimAnswer(verdict="running", agent="one", fence=7, stopping=stopping)])
    held, verdict = await _claiming(agent)
    agent.now_s += RELY_S + 0.1
    await agent.decide(granted=True)
    assert await verdict is Verdict.RUN
    assert len(agent.asked) == 1
    assert held.cancelled.is_set() == stopping
    assert held.grant is not None
    assert held.grant.is_good


@pytest.mark.parametrize(
    "answer", [ClaimAnswer(verdict="drop"), ClaimAnswer(verdict="running", agent="two")]
)
async def test_what_is_not_its_own_any_more_is_left_alone(answer: ClaimAnswer) -> None:
    """If the attempt has ended or is another's meanwhile, nothing starts."""
    agent = Agent(answers=[answer])
    _held, verdict = await _claiming(agent)
    agent.now_s += RELY_S + 0.1
    await agent.decide(granted=True)
    assert await verdict is Verdict.DONE


async def test_without_a_decision_the_agent_asks_until_it_knows() -> None:
    """A decision that went astray, and a coordinator that cannot tell yet: it is asked again."""
    granted = ClaimAnswer(verdict="running", agent="one", fence=7)
    agent = Agent(answers=[ClaimAnswer(verdict="wait"), granted])
    held = await agent.start()
    assert await agent.claims.claim(held) is Verdict.RUN
    assert len(agent.asked) == 2
    assert held.grant is not None
    assert held.grant.fence == 7


async def test_a_claim_that_could_not_be_applied_goes_back() -> None:
    """If the coordinator has read the journal and knows of no claim, the task is handed back."""
    agent = Agent(answers=[ClaimAnswer(verdict="start")])
    held = await agent.start()
    assert await agent.claims.claim(held) is Verdict.BACK


async def test_a_grant_runs_out() -> None:
    """While the agent stands still its grant runs out, also between the grant and the start."""
    agent = Agent()
    held, verdict = await _claiming(agent)
    await agent.decide(granted=True)
    await verdict
    assert held.grant is not None
    agent.now_s += RELY_S - 0.1
    assert held.grant.is_good
    agent.now_s += 0.2
    assert not held.grant.is_good


@pytest.mark.parametrize("agent_of_claim", ["one", "two"])
def test_the_only_copy_of_a_task_is_kept_until_its_loss_is_told(agent_of_claim: str) -> None:
    """A first delivery that looks like a second copy may be the only one, of a queue that forgot
    that it was delivered: where nobody runs the attempt, the loss is reported before it goes."""

    async def story() -> None:
        running = ClaimAnswer(verdict="running", agent=agent_of_claim, fence=7)
        agent = Agent(answers=[running, running])
        held = await agent.start(again=True)
        told = agent.bus.journal.last_seq(PARTITION)
        assert await agent.claims.claim(held) is Verdict.DONE
        assert agent.bus.journal.last_seq(PARTITION) == told + 1

    run_virtually(story())
