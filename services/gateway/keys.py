"""API keys: made, known by the hash of their secret, revoked.

A secret is 256 random bits, so one plain SHA-256 stands for it safely; only the hash is stored, and
looking up a hash tells an attacker nothing about any other secret. Keys that were looked up are
kept for some seconds, so that a burst of requests asks MongoDB once; a key revoked elsewhere is
therefore in force here for at most `KEPT_S`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from services.gateway import problems
from services.gateway.permissions import Principal
from shared.contracts.api.keys import ApiKey, IssuedKey, NewKey, Role
from shared.ports.clock import Clock, Ids
from shared.ports.keys import KeyNameTakenError, KeyStore

log = structlog.get_logger()

PREFIX: Final = "hive_"
KEPT_S: Final = 5.0
KEPT_KEYS: Final = 10_000
USED_EVERY_MS: Final = 60_000
"""The last use of a key is stored at most this often."""


def secret_hash(secret: str) -> str:
    """SHA-256 of a secret, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """`hive_` and 256 random bits in URL-safe base 64."""
    return PREFIX + secrets.token_urlsafe(32)


@dataclass(slots=True)
class _Kept:
    key: ApiKey | None
    until: float


class KeyRing:
    """Knows keys by their secrets."""

    def __init__(self, store: KeyStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def identify(self, secret: str) -> Principal | None:
        """Whose secret this is; `None` when it is nobody's or the key was revoked."""
        if not secret.startswith(PREFIX) or len(secret) > 200:
            return None
        digest = secret_hash(secret)
        key = await self._find(digest)
        if key is None or key.revoked_at_ms:
            return None
        await self._remember_use(digest, key)
        return Principal(key.id, key.name, key.role, key.groups)

    async def issue(self, wanted: NewKey, by: str) -> IssuedKey:
        """Make a key; its secret is in the answer and nowhere else."""
        secret = new_secret()
        key = ApiKey(
            id=self._ids.new("key"),
            name=wanted.name,
            role=wanted.role,
            groups=wanted.groups,
            created_at_ms=self._clock.now_ms(),
            created_by=by,
        )
        try:
            await self._store.add(key, secret_hash(secret))
        except KeyNameTakenError:
            raise problems.conflict(
                f"A key in force has the name {wanted.name!r}. Choose another name, or revoke it."
            ) from None
        self._kept.pop(secret_hash(secret), None)
        return IssuedKey(key=key, secret=secret)

    async def revoke(self, key_id: str) -> ApiKey:
        """Put a key out of force."""
        key = await self._store.revoke(key_id, self._clock.now_ms())
        if key is None:
            raise problems.not_found("API key", key_id, "GET /api/v1/keys lists them.")
        self._kept.clear()
        return key

    async def get(self, key_id: str) -> ApiKey:
        """One key. Raises 404."""
        found = next((key for key in await self._store.all() if key.id == key_id), None)
        if found is None:
            raise problems.not_found("API key", key_id)
        return found

    async def all(self) -> tuple[ApiKey, ...]:
        """Every key, newest first."""
        return tuple(await self._store.all())

    async def _find(self, digest: str) -> ApiKey | None:
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(digest)
        if kept is not None and kept.until > now:
            return kept.key
        key = await self._store.by_hash(digest)
        self._kept[digest] = _Kept(key, now + KEPT_S)
        while len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)
        return key

    async def _remember_use(self, digest: str, key: ApiKey) -> None:
        now_ms = self._clock.now_ms()
        if now_ms - key.last_used_at_ms < USED_EVERY_MS:
            return
        kept = self._kept.get(digest)
        if kept is not None:
            kept.key = key.model_copy(update={"last_used_at_ms": now_ms})
        await self._store.used(key.id, now_ms)


async def ensure_admin_key(ring: KeyRing, path: Path) -> None:
    """Make sure that a file holds the secret of an admin key in force; mode 0600.

    Only where the file is missing, or what it holds opens nothing, a key is made and the file
    replaced in one step.
    """
    known = await asyncio.to_thread(_read, path)
    principal = await ring.identify(known) if known else None
    if principal is not None and principal.role is Role.ADMIN:
        return
    issued = await _issue_admin(ring)
    await asyncio.to_thread(_write_private, path, issued.secret + "\n")
    log.info("admin key written", file=str(path), key=issued.key.id)


async def _issue_admin(ring: KeyRing) -> IssuedKey:
    """An admin key by the first free one of the names `admin`, `admin-<random>`."""
    taken = {key.name for key in await ring.all() if not key.revoked_at_ms}
    name = "admin" if "admin" not in taken else f"admin-{secrets.token_hex(4)}"
    return await ring.issue(NewKey(name=name, role=Role.ADMIN), by="gateway")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
