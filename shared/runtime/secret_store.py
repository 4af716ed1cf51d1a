"""A file of secrets on one host, encrypted with a key that lies in a file of its own.

The law of the store:

* A value is never on disk in clear. Its name is sealed with it, so that no entry can be passed off
  as another. Names, and when each was set, can be read by who can read the file.
* The file is replaced as a whole, in one step, and by one process at a time.
* A key that others may read is refused. Who has the key file and the store has the secrets: keep
  the key elsewhere (`HIVE_SECRETS_KEY`, such as a systemd credential) where that matters.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.ports.secrets import SecretUnusableError
from shared.runtime.sealing import Sealer, SealError, key_from_file

SECRET_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
SHORTEST: Final = 4
"""Characters; what is shorter would be found in everything and could not be hidden in outputs."""
LONGEST_BYTES: Final = 64 * 1024

STORE_FILE: Final = "secrets.json"
KEY_FILE: Final = "secrets.key"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)

    sealed: str
    set_at_ms: int


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    secrets: dict[str, _Kept] = {}


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """That there is a secret, not which."""

    name: str
    set_at_ms: int


class SecretStore:
    """The store in one file. Everything raises `SecretUnusableError`, with what to do."""

    def __init__(self, file: Path, key_file: Path) -> None:
        self.file = file
        self._key_file = key_file

    def find(self, name: str) -> str | None:
        """The secret of this name."""
        kept = self._read().secrets.get(name)
        if kept is None:
            return None
        try:
            opened = self._sealer().open(kept.sealed)
        except SealError as error:
            raise SecretUnusableError(f"{self.file}: {name}: {error}; set it again") from None
        if not isinstance(opened, dict) or opened.get("name") != name:
            raise SecretUnusableError(f"{self.file}: {name} was not sealed under that name")
        return str(opened["value"])

    def names(self) -> list[KeptSecret]:
        """What there is, by name."""
        kept = self._read().secrets
        return [KeptSecret(name, kept[name].set_at_ms) for name in sorted(kept)]

    def put(self, name: str, value: str, now_ms: int) -> bool:
        """Keep a secret; true when it took the place of another value."""
        check_secret(name, value)
        with self._alone():
            key_from_file(self._key_file)
            content = self._read()
            sealed = self._sealer().seal({"name": name, "value": value})
            kept = _Kept(sealed=sealed, set_at_ms=now_ms)
            self._write(content.secrets | {name: kept})
        return name in content.secrets

    def remove(self, name: str) -> bool:
        """Forget a secret; false when there is none of this name."""
        with self._alone():
            content = self._read()
            if name not in content.secrets:
                return False
            self._write({n: kept for n, kept in content.secrets.items() if n != name})
        return True

    def _sealer(self) -> Sealer:
        try:
            mode = self._key_file.stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise SecretUnusableError(
                    f"{self._key_file} can be read by others: chmod 600 {self._key_file}"
                )
            return Sealer(self._key_file.read_bytes().strip())
        except OSError as error:
            message = f"the key {self._key_file} cannot be read: {error.strerror}"
            raise SecretUnusableError(message) from None
        except SealError as error:
            raise SecretUnusableError(f"{self._key_file}: {error}") from None

    def _read(self) -> _Content:
        try:
            return _Content.model_validate_json(self.file.read_bytes())
        except FileNotFoundError:
            return _Content()
        except OSError as error:
            raise SecretUnusableError(f"{self.file} cannot be read: {error.strerror}") from None
        except ValidationError:
            message = f"{self.file} is damaged: move it away and set the secrets again"
            raise SecretUnusableError(message) from None

    def _write(self, secrets: dict[str, _Kept]) -> None:
        draft = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(_Content(secrets=secrets).model_dump_json(indent=1), encoding="utf-8")
        draft.replace(self.file)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.file.with_name(f".{self.file.name}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            message = f"{error.filename or self.file}: {error.strerror}"
            raise SecretUnusableError(message) from None


def check_secret(name: str, value: str) -> None:
    """Raise `SecretUnusableError` for a name or a value that no step could use."""
    if not SECRET_NAME.fullmatch(name):
        raise SecretUnusableError(
            f"{name!r} is no name for a secret: use letters, digits and _, no digit first, "
            "at most 128 characters"
        )
    if "\0" in value:
        raise SecretUnusableError(f"the secret {name} holds a NUL character: it must be text")
    if len(value) < SHORTEST:
        raise SecretUnusableError(
            f"the secret {name} has {len(value)} characters: with fewer than {SHORTEST} it could "
            "not be hidden in outputs"
        )
    if len(value.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        limit = LONGEST_BYTES // 1024
        raise SecretUnusableError(f"the secret {name} takes more than {limit} KiB")
