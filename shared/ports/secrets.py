"""Where an agent finds secrets."""

from __future__ import annotations

from typing import Protocol


class SecretUnusableError(Exception):
    """A secret is there and cannot be used. The message says why and what to do, not what it is."""


class SecretProvider(Protocol):
    """One place in which an agent looks for secrets."""

    @property
    def described(self) -> str:
        """Which place this is, for who looks for a missing secret."""
        ...

    def find(self, name: str) -> str | None:
        """The secret of this name, if it is here. Reads files; raises `SecretUnusableError`."""
        ...
