"""The places in which an agent looks for secrets: its environment, directories, the store.

None of them offers anything that the owner of the host did not put there on purpose: of the
environment only the variables listed in `HIVE_SECRETS_ENV`, the directories in `HIVE_SECRETS_DIRS`
and the one that systemd made for this very service, and what `hv secrets set` was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Final

from shared.ports.secrets import SecretUnusableError
from shared.runtime.secret_store import LONGEST_BYTES, SECRET_NAME, SecretStore

_OTHER_SIGNS: Final = re.compile(r"[-.]")


class EnvironmentSecrets:
    """Variables of the agent's own environment, by their names.

    They are taken out of it: no program that the agent starts inherits them, and no step can have
    them passed on by name.
    """

    def __init__(self, names: Iterable[str], environment: MutableMapping[str, str]) -> None:
        self._listed = tuple(names)
        found = {name: environment.pop(name, None) for name in self._listed}
        self._values = {name: value for name, value in found.items() if value is not None}

    @property
    def described(self) -> str:
        """Which place this is."""
        return f"the environment (HIVE_SECRETS_ENV lists {', '.join(self._listed) or 'nothing'})"

    def find(self, name: str) -> str | None:
        """The variable's value, if it is listed and was set."""
        return self._values.get(name)


class DirectorySecrets:
    """One file for each secret, as Docker, Kubernetes and systemd credentials lay them out.

    File names may have `-` or `.` where the secret's name has `_`. One line end at the end of a
    file is not part of the secret, as in `$(cat file)`. Files are read anew each time: what is
    rotated counts at once.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def described(self) -> str:
        """Which place this is."""
        return f"files in {self._directory}"

    def find(self, name: str) -> str | None:
        """The content of the file of this name."""
        try:
            file = self._file(name)
            return None if file is None else _text_of(file)
        except OSError as error:
            where = error.filename or self._directory
            raise SecretUnusableError(f"{where} cannot be read: {error.strerror}") from None

    def _file(self, name: str) -> Path | None:
        if not SECRET_NAME.fullmatch(name) or not self._directory.is_dir():
            return None
        exact = self._directory / name
        if exact.is_file():
            return exact
        alike = [f for f in self._directory.iterdir() if _OTHER_SIGNS.sub("_", f.name) == name]
        files = [file for file in alike if file.is_file()]
        if len(files) > 1:
            listed = ", ".join(sorted(file.name for file in files))
            raise SecretUnusableError(f"{name} could be any of {listed} in {self._directory}")
        return files[0] if files else None


class StoreSecrets:
    """The encrypted store that `hv secrets` fills."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store

    @property
    def described(self) -> str:
        """Which place this is."""
        return f"the store {self._store.file}"

    def find(self, name: str) -> str | None:
        """The stored value."""
        return self._store.find(name)


def _text_of(file: Path) -> str:
    with file.open("rb") as opened:
        data = opened.read(LONGEST_BYTES + 3)
    if len(data) > LONGEST_BYTES + 2:
        raise SecretUnusableError(f"{file} is larger than {LONGEST_BYTES // 1024} KiB")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        message = f"{file} is not text in UTF-8: keep binary secrets as base64"
        raise SecretUnusableError(message) from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
