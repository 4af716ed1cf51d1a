"""Redaction: a step that was given sealed values must not give them away.

What was opened for an attempt is remembered for as long as it runs. In progress lines and failure
messages it is replaced by `***`; a text in the output that holds it is sealed as a whole, so that
later steps can still use it. Lines of a stream whose output field is sensitive are not sent at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from shared.runtime.sealing import Sealer

SHORTEST: Final = 6
"""Characters; shorter values would be found in everything."""
MASK: Final = "***"


class Redaction:
    """What one attempt must not say."""

    def __init__(self, sealer: Sealer, sensitive: Iterable[str]) -> None:
        self._sealer = sealer
        self._sensitive = frozenset(sensitive)
        self._secrets: tuple[str, ...] = ()

    def open(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Open what is sealed, and remember it; raises `SealError`."""
        opened: list[Any] = []
        clear: dict[str, Any] = self._sealer.open(parameters, opened.append)
        parts = {part for value in opened for part in _parts(value)}
        self._secrets = tuple(sorted(parts, key=len, reverse=True))
        return clear

    def hides(self, stream: str) -> bool:
        """True when nothing of a stream may be shown."""
        return stream in self._sensitive

    def masked(self, text: str) -> str:
        """A text for people, without what is secret."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def sealed(self, output: dict[str, Any]) -> dict[str, Any]:
        """An output: sensitive fields sealed, and every text that holds a secret."""
        kept = self._sealer.seal_fields(output, tuple(self._sensitive))
        return self._without_secrets(kept) if self._secrets else kept

    def _without_secrets(self, value: Any) -> Any:
        if isinstance(value, str):
            held = any(secret in value for secret in self._secrets)
            return self._sealer.seal(value) if held else value
        if isinstance(value, dict):
            return {self.masked(k): self._without_secrets(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._without_secrets(item) for item in value]
        return value


def _parts(value: Any) -> Iterator[str]:
    """The texts in a value by which it would be recognized: whole, and line by line."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, str):
        for part in (value.strip(), *(line.strip() for line in value.splitlines())):
            if len(part) >= SHORTEST:
                yield part
