"""The validator service, as those see it who ask: what static rules cannot tell."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.validation import ValidationAnswer, ValidationQuestion


class ValidatorAwayError(Exception):
    """No validator answers: a level above `standard` cannot be looked at, and is never guessed."""


class Validator(Protocol):
    """Looks at a run in the live system (`strict`), and plays it beforehand (`paranoid`)."""

    async def look(self, question: ValidationQuestion) -> ValidationAnswer:
        """The findings of the levels up to the question's; raises `ValidatorAwayError`."""
        ...
