"""The validator service over request and reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.rpc import call
from shared.contracts import rpc
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.ports.collective import CollectiveError
from shared.ports.validator import ValidatorAwayError
from shared.workflow.validation_policy import Level

LOOK_S: Final[Mapping[Level, float]] = {"strict": 10.0, "paranoid": 30.0}
"""How long a look may take; a forecast of a large template takes seconds."""
ABSENT_S: Final = 1.0
"""How long is waited for a validator where there is none: one may be starting."""


class NatsValidator:
    """Asks whichever validator is free."""

    def __init__(self, bus: Bus, absent_s: float = ABSENT_S) -> None:
        self._bus = bus
        self._absent_s = absent_s

    async def look(self, question: ValidationQuestion) -> ValidationAnswer:
        """The findings of the levels up to the question's; raises `ValidatorAwayError`."""
        try:
            look_s = LOOK_S.get(question.level, LOOK_S["strict"])
            return await call(self._bus, rpc.LOOK, question, look_s, self._absent_s)
        except CollectiveError as error:
            raise ValidatorAwayError(str(error)) from error
