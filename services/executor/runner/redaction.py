"""Redaction: a step that was given secrets or sealed values must not give them away.

What was opened for an attempt, the secrets of its agent that it was given and what expressions made
of them are remembered for as long as it runs. In progress lines and failure
messages it is replaced by `***`; a text in the output that holds it is sealed as a whole, so that
later steps can still use it. What counts as holding it is in `secret_texts`.

Sensitive fields are sealed, and so are fields that hold the same (`json` is standard output or a
body, parsed). Lines of a stream whose output field is sensitive are not sent at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from services.executor.runner.secret_texts import SecretTexts
from shared.commands.sensitive import secret_fields
from shared.runtime.sealing import SEALED, Sealer

_NOTHING: Final = SecretTexts(())
"""No secrets: what most attempts have, made once."""


class Redaction:
    """What one attempt must not say."""

    def __init__(self, sealer: Sealer, sensitive: Iterable[str]) -> None:
        self._sealer = sealer
        self._named = tuple(sensitive)
        self._sensitive = secret_fields(self._named)
        self._known: list[Any] = []
        self._given = _NOTHING
        self._made = _NOTHING

    def open(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Open what is sealed, and remember it; raises `SealError`."""
        opened: list[Any] = []
        clear: dict[str, Any] = self._sealer.open(parameters, opened.append)
        self.learn(opened)
        return clear

    def learn(self, values: Iterable[Any]) -> None:
        """From now on these must not be said either: secrets, and what was made of them."""
        known = len(self._known)
        self._known += values
        if len(self._known) > known:
            self._given = SecretTexts(self._known)

    def hides(self, stream: str) -> bool:
        """True when nothing of a stream may be shown."""
        return stream in self._sensitive

    def masked(self, text: str) -> str:
        """A text for people, without what is secret."""
        return self._made.masked(self._given.masked(text))

    def sealed(self, output: dict[str, Any]) -> dict[str, Any]:
        """An output: sensitive fields sealed, and every text that holds what was opened.

        What the sensitive fields hold is masked from now on too: a failure message may quote it.
        """
        if not self._sensitive and not self._given:
            return output
        self._made = SecretTexts(v for name, v in output.items() if name in self._sensitive)
        same = (k for k in self._sensitive.difference(self._named) if output.get(k) is not None)
        kept = self._sealer.seal_fields(output, (*self._named, *same))
        return {k: self._without_given(v) for k, v in kept.items()} if self._given else kept

    def _without_given(self, value: Any) -> Any:
        if isinstance(value, str):
            held = not SEALED.fullmatch(value) and self._given.are_in(value)
            return self._sealer.seal(value) if held else value
        if isinstance(value, dict):
            return {self._given.masked(k): self._without_given(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._without_given(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._sealer.seal(value) if self._given.is_number(value) else value
        return value
