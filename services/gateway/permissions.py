"""Who may do what, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.contracts.api.keys import Role
from shared.workflow.messages import Actor


class Permission(StrEnum):
    """Something a key may do."""

    READ = "read"
    SHARE = "share"
    RECORD = "record"
    ANSWER = "answer"
    RUN = "run"
    APPROVE = "approve"
    AUTHOR = "author"
    WEBHOOKS = "webhooks"
    REPAIR = "repair"
    AUTOMATE = "automate"
    AUDIT = "audit"
    KEYS = "keys"
    TEACH = "teach"


_P = Permission
_AGENT: Final = frozenset({_P.READ, _P.SHARE, _P.RECORD, _P.ANSWER})
_OPERATOR: Final = _AGENT | {
    _P.RUN,
    _P.APPROVE,
    _P.AUTHOR,
    _P.WEBHOOKS,
    _P.REPAIR,
    _P.AUTOMATE,
}

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: frozenset({_P.READ}),
    Role.AGENT: _AGENT,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request: a key, by its id, name, role and groups."""

    key_id: str
    name: str
    role: Role
    groups: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        """This principal in journal messages."""
        return Actor(kind="agent" if self.role is Role.AGENT else "user", id=self.name)

    def may(self, permission: Permission) -> bool:
        """True when the role of the key allows it."""
        return permission in PERMISSIONS[self.role]


def roles_with(permission: Permission) -> list[Role]:
    """The roles that allow it."""
    return [role for role in Role if permission in PERMISSIONS[role]]
