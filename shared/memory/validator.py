"""The validator in the same process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.ports.validator import ValidatorAwayError

Look = Callable[[ValidationQuestion], Awaitable[ValidationAnswer]]


class MemoryValidator:
    """Hands questions to `look`; without one no validator answers. Both ways through JSON, as they
    would go over a network."""

    def __init__(self, look: Look | None = None) -> None:
        self._look = look

    async def look(self, question: ValidationQuestion) -> ValidationAnswer:
        """The findings of the levels up to the question's; raises `ValidatorAwayError`."""
        if self._look is None:
            nobody = "nobody answered validator.look"
            raise ValidatorAwayError(f"{nobody}; is a validator service running?")
        try:
            received = ValidationQuestion.model_validate_json(question.model_dump_json())
            answer = await self._look(received)
        except Exception as error:
            raise ValidatorAwayError(f"look: {type(error).__name__}") from error
        return ValidationAnswer.model_validate_json(answer.model_dump_json())
