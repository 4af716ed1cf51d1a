"""API keys as the gateway gives and takes them. Times in epoch milliseconds, 0 for never."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.names import Slug


class Role(StrEnum):
    """What a key may do.

    `viewer` reads. `agent` also answers its own tasks, remembers, broadcasts and records
    commands. `operator` also runs, approves, cancels and writes templates. `admin` also manages
    keys and sees the audit.
    """

    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"
    AGENT = "agent"


class ApiKey(BaseModel):
    """A key, without the secret: only its SHA-256 (hexadecimal) is ever stored."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: Slug
    role: Role
    groups: tuple[Slug, ...] = ()
    created_at_ms: int
    created_by: str = ""
    last_used_at_ms: int = 0
    revoked_at_ms: int = 0


class NewKey(BaseModel):
    """Make a key. `name` says who acts with it and is unique among the keys in force."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Slug = Field(description="Who acts with this key, for example `alice` or `ci`.")
    role: Role
    groups: tuple[Slug, ...] = Field(
        (), max_length=50, description="Groups that approvals may name, for example `ops`."
    )


class IssuedKey(BaseModel):
    """A new key with its secret, which is shown this once."""

    model_config = ConfigDict(frozen=True)

    key: ApiKey
    secret: str


class KeyList(BaseModel):
    """All keys, newest first, revoked ones included."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ApiKey, ...]
