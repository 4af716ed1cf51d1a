"""Secrets in memory."""

from __future__ import annotations

from collections.abc import Mapping


class MemorySecrets:
    """A provider that was handed its secrets."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)

    @property
    def described(self) -> str:
        """Which place this is."""
        return "memory"

    def find(self, name: str) -> str | None:
        """The secret of this name."""
        return self._secrets.get(name)
