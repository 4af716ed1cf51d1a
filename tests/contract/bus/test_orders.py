"""Short talk: questions in doubt and who answers them."""

import asyncio

from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimQuestion
from shared.contracts.tasks import StopOrder
from tests.contract.bus.rig import BusRig
from tests.contract.bus.samples import EXECUTION, PARTITION

QUESTION = ClaimQuestion(execution_id=EXECUTION, step="a", attempt=1, leg=0)


class TestHolds:
    async def test_an_agent_says_what_it_holds(self, rig: BusRig) -> None:
        """Each agent answers for itself."""
        orders = rig.orders()
        await orders.answer_holds("alpha", lambda question: question == QUESTION)
        await orders.answer_holds("beta", lambda _question: False)
        assert await orders.ask_holds("alpha", QUESTION)
        assert not await orders.ask_holds("beta", QUESTION)
        assert not await orders.ask_holds("alpha", QUESTION.model_copy(update={"attempt": 2}))

    async def test_a_silent_agent_is_asked_again(self, rig: BusRig) -> None:
        """One that begins to answer within the silence that is waited for is heard."""
        asking = asyncio.create_task(rig.orders().ask_holds("late", QUESTION, silence_s=5))
        await asyncio.sleep(0.1)
        assert not asking.done()
        await rig.orders().answer_holds("late", lambda _question: True)
        assert await asking

    async def test_silence_means_no(self, rig: BusRig) -> None:
        """An agent that is not there holds nothing."""
        assert not await rig.orders().ask_holds("nobody", QUESTION)


class TestClaims:
    async def test_the_one_that_has_the_partition_answers(self, rig: BusRig) -> None:
        """Others leave the answer to it."""
        asked: list[tuple[int, ClaimQuestion]] = []

        async def other(_partition: int, _question: ClaimQuestion) -> ClaimAnswer | None:
            return None

        async def owner(partition: int, question: ClaimQuestion) -> ClaimAnswer | None:
            asked.append((partition, question))
            return ClaimAnswer(verdict="running", agent="alpha")

        await rig.orders().answer_claims(other)
        await rig.orders().answer_claims(owner)
        answer = await rig.orders().ask_claim(QUESTION)
        assert answer == ClaimAnswer(verdict="running", agent="alpha")
        assert asked == [(PARTITION, QUESTION)]

    async def test_without_an_answer_one_waits(self, rig: BusRig) -> None:
        """Nobody there: ask later."""
        assert await rig.orders().ask_claim(QUESTION) == ClaimAnswer(verdict="wait")


def _decision(step: str, agent: str = "alpha") -> ClaimDecision:
    return ClaimDecision(
        execution_id=EXECUTION, step=step, attempt=1, leg=0, agent=agent, granted=True, fence=7
    )


class TestDecisions:
    async def test_each_agent_hears_what_became_of_its_claims(self, rig: BusRig) -> None:
        """Decisions made together arrive in their order, at the agent that claimed."""
        heard: dict[str, list[ClaimDecision]] = {"alpha": [], "beta": []}
        for agent, list_ in heard.items():
            await rig.orders().on_decided(agent, list_.append)
        effects = rig.effects()
        wanted = [_decision("a"), _decision("b"), _decision("c", "beta"), _decision("d")]
        for decision in wanted:
            effects.decided(decision)
        await effects.commit()
        await rig.settle()
        assert heard["alpha"] == [wanted[0], wanted[1], wanted[3]]
        assert heard["beta"] == [wanted[2]]

    async def test_orders_to_stop_come_before_decisions(self, rig: BusRig) -> None:
        """What is granted and stopped in one turn is known to be stopped when the grant comes."""
        heard: list[str] = []
        await rig.orders().on_stop(lambda _order: heard.append("stop"))
        await rig.orders().on_decided("alpha", lambda _decision: heard.append("decided"))
        effects = rig.effects()
        effects.decided(_decision("a"))
        effects.stop(StopOrder(execution_id=EXECUTION, step="a", attempt=1, leg=0))
        await effects.commit()
        await rig.settle()
        assert heard == ["stop", "decided"]
