"""Every provider of secrets gives what its owner put there, as it is, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from services.executor.secrets.providers import DirectorySecrets, EnvironmentSecrets, StoreSecrets
from shared.memory.secrets import MemorySecrets
from shared.ports.secrets import SecretProvider, SecretUnusableError
from shared.runtime.secret_store import LONGEST_BYTES, SecretStore

Make = Callable[[Path, Mapping[str, str]], SecretProvider]
HELD = {"TOKEN": "s3cret", "lower_case": "two\nlines", "SPACED": " é😀 ", "_X1": "y" * 5_000}


def _memory(_home: Path, held: Mapping[str, str]) -> SecretProvider:
    return MemorySecrets(held)


def _environment(_home: Path, held: Mapping[str, str]) -> SecretProvider:
    return EnvironmentSecrets([*held, "UNSET"], {**held, "UNLISTED": "no"})


def _directory(home: Path, held: Mapping[str, str]) -> SecretProvider:
    for name, value in held.items():
        (home / name).write_text(value + "\n", encoding="utf-8")
    (home / "TOKEN.d").mkdir()
    return DirectorySecrets(home)


def _store(home: Path, held: Mapping[str, str]) -> SecretProvider:
    store = SecretStore(home / "s.json", home / "s.key")
    for name, value in held.items():
        store.put(name, value, 1)
    return StoreSecrets(store)


PROVIDERS: tuple[Make, ...] = (_memory, _environment, _directory, _store)


@pytest.mark.parametrize("make", PROVIDERS)
def test_what_was_put_there_is_found_as_it_is(make: Make, tmp_path: Path) -> None:
    """Lines, blanks and any characters come back unchanged, by exactly their name."""
    provider = make(tmp_path, HELD)
    assert {name: provider.find(name) for name in HELD} == HELD


@pytest.mark.parametrize("make", PROVIDERS)
@pytest.mark.parametrize("name", ["UNSET", "UNLISTED", "token", "", "../s.json", "TOKEN.d", "PATH"])
def test_what_was_not_is_not_found(make: Make, name: str, tmp_path: Path) -> None:
    """Another name finds nothing: no variable that is not listed, no file outside the directory."""
    assert make(tmp_path, HELD).find(name) is None


@pytest.mark.parametrize("make", PROVIDERS)
def test_a_provider_says_which_it_is(make: Make, tmp_path: Path) -> None:
    """The description names the place, and no secret."""
    described = make(tmp_path, HELD).described
    assert described
    assert not any(value in described for value in HELD.values())


@pytest.mark.parametrize("make", PROVIDERS)
def test_an_empty_provider_has_nothing(make: Make, tmp_path: Path) -> None:
    """Before anything is put there, asking is no error."""
    assert make(tmp_path, {}).find("TOKEN") is None


def test_a_variable_leaves_the_environment() -> None:
    """What is listed is taken out, so that no program inherits it; the rest stays."""
    environment = {"TOKEN": "s3cret", "PATH": "/bin"}
    provider = EnvironmentSecrets(["TOKEN"], environment)
    assert environment == {"PATH": "/bin"}
    assert provider.find("TOKEN") == "s3cret"


def test_files_may_be_named_as_orchestrators_do(tmp_path: Path) -> None:
    """`-` and `.` in a file's name stand for `_`; a link, as Kubernetes lays them out, is followed;
    of two files that could be meant neither is guessed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "db-password").write_text("s3cret\r\n", encoding="utf-8")
    (tmp_path / "db-password").symlink_to(tmp_path / "data" / "db-password")
    provider = DirectorySecrets(tmp_path)
    assert provider.find("db_password") == "s3cret"
    (tmp_path / "db.password").write_text("other", encoding="utf-8")
    with pytest.raises(SecretUnusableError, match=r"any of db-password, db\.password"):
        provider.find("db_password")
    (tmp_path / "db_password").write_text("exact", encoding="utf-8")
    assert provider.find("db_password") == "exact"


def test_a_file_that_is_no_secret_says_why(tmp_path: Path) -> None:
    """What is too large or no text is refused by name; a directory that is not there is empty."""
    (tmp_path / "BINARY").write_bytes(b"\xff\xfe")
    (tmp_path / "LARGE").write_bytes(b"x" * (LONGEST_BYTES + 3))
    provider = DirectorySecrets(tmp_path)
    for name, reason in (("BINARY", "base64"), ("LARGE", "larger than 64 KiB")):
        with pytest.raises(SecretUnusableError, match=rf"{name}.*{reason}"):
            provider.find(name)
    assert DirectorySecrets(tmp_path / "absent").find("TOKEN") is None
