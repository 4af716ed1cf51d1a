"""Short talk between coordinators and runners, outside of the journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimQuestion
from shared.contracts.tasks import StopOrder


class Orders(Protocol):
    """Orders to stop, questions in doubt. Nothing here is durable: who asks, asks again."""

    async def on_stop(self, handle: Callable[[StopOrder], None]) -> None:
        """Call `handle` for every order to stop, from now on."""
        ...

    async def on_decided(self, agent: str, handle: Callable[[ClaimDecision], None]) -> None:
        """Call `handle` for every decision about this agent's claims, from now on."""
        ...

    async def answer_holds(self, agent: str, holds: Callable[[ClaimQuestion], bool]) -> None:
        """Answer, for this agent, whether it is running an attempt."""
        ...

    async def ask_holds(self, agent: str, question: ClaimQuestion, *, silence_s: float = 0) -> bool:
        """True when that agent answers that it is running the attempt. An agent that is silent is
        asked again and again, for at least `silence_s`."""
        ...

    async def answer_claims(
        self, answer: Callable[[int, ClaimQuestion], Awaitable[ClaimAnswer | None]]
    ) -> None:
        """Answer runners in doubt; `None` leaves the answer to another coordinator."""
        ...

    async def ask_claim(self, question: ClaimQuestion) -> ClaimAnswer:
        """Ask the coordinator of the execution's partition; `wait` when none answers."""
        ...
