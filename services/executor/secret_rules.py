"""Which secrets of an agent which commands of which templates may use, as its owner says."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from services.executor.policy_defaults import EVERYTHING

_ALL = (EVERYTHING,)


class SecretRule(BaseModel):
    """Globs: these secrets, for these commands, of these templates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...] = _ALL
    commands: tuple[str, ...] = _ALL
    templates: tuple[str, ...] = _ALL

    def covers(self, secret: str, command: str, template: str) -> bool:
        """Whether it speaks of this use."""
        return (
            _fits(secret, self.names)
            and _fits(command, self.commands)
            and _fits(template, self.templates)
        )


class SecretRules(BaseModel):
    """A use must be covered by a rule in `allow` and by none in `deny`.

    By default every use of what the providers offer is allowed: nothing gets into a provider by
    itself, and commands that would pass a secret on are refused it in any case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow: tuple[SecretRule, ...] = (SecretRule(),)
    deny: tuple[SecretRule, ...] = ()


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
