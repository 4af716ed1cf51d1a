"""Short talk: questions in doubt and who answers them."""

from shared.contracts.claims import ClaimAnswer, ClaimQuestion
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
