"""The encrypted store of secrets on a host."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from shared.ports.secrets import SecretUnusableError
from shared.runtime.secret_store import LONGEST_BYTES, SecretStore


def store(home: Path) -> SecretStore:
    return SecretStore(home / "kept" / "secrets.json", home / "keys" / "secrets.key")


def test_nothing_is_on_disk_in_clear(tmp_path: Path) -> None:
    """File and key can be read by their owner only, and the value stands in neither."""
    kept = store(tmp_path)
    assert kept.put("TOKEN", "s3cret-value", 5) is False
    assert kept.put("TOKEN", "s3cret-other", 7) is True
    for file in (tmp_path / "kept" / "secrets.json", tmp_path / "keys" / "secrets.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"s3cret" not in file.read_bytes()
    assert [(one.name, one.set_at_ms) for one in kept.names()] == [("TOKEN", 7)]
    assert store(tmp_path).find("TOKEN") == "s3cret-other"


def test_what_is_removed_is_gone(tmp_path: Path) -> None:
    """It is found no more; removing what is not there says so."""
    kept = store(tmp_path)
    kept.put("TOKEN", "s3cret", 5)
    assert kept.remove("TOKEN") is True
    assert kept.remove("TOKEN") is False
    assert kept.find("TOKEN") is None
    assert kept.names() == []


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("9A", "s3cret", "no name for a secret"),
        ("a-b", "s3cret", "no name for a secret"),
        ("A" * 129, "s3cret", "no name for a secret"),
        ("TOKEN", "abc", "could not be hidden"),
        ("TOKEN", "", "could not be hidden"),
        ("TOKEN", "a\0bcd", "NUL"),
        ("TOKEN", "x" * (LONGEST_BYTES + 1), "64 KiB"),
    ],
)
def test_what_no_step_could_use_is_refused(
    name: str, value: str, reason: str, tmp_path: Path
) -> None:
    """A name that no expression can say and a value that cannot be hidden are refused, unsaid."""
    with pytest.raises(SecretUnusableError, match=reason) as caught:
        store(tmp_path).put(name, value, 1)
    assert not value or len(value) < 4 or value not in str(caught.value)
    assert not (tmp_path / "kept").exists()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """With what to do; so is a key that is none, or not there."""
    kept, key = store(tmp_path), tmp_path / "keys" / "secrets.key"
    kept.put("TOKEN", "s3cret", 1)
    key.chmod(0o640)
    with pytest.raises(SecretUnusableError, match="chmod 600"):
        kept.find("TOKEN")
    key.chmod(0o600)
    right = key.read_bytes()
    key.write_bytes(b"no key")
    with pytest.raises(SecretUnusableError, match="not a sealing key"):
        kept.find("TOKEN")
    key.unlink()
    with pytest.raises(SecretUnusableError, match=r"secrets\.key cannot be read"):
        kept.find("TOKEN")
    kept.put("OTHER", "s3cret", 1)  # makes another key
    with pytest.raises(SecretUnusableError, match=r"TOKEN: .*another key; set it again"):
        kept.find("TOKEN")
    key.write_bytes(right)
    assert kept.find("TOKEN") == "s3cret"


def test_an_entry_cannot_stand_for_another(tmp_path: Path) -> None:
    """A sealed value that was moved under another name is found out; a damaged file is told."""
    kept, file = store(tmp_path), tmp_path / "kept" / "secrets.json"
    kept.put("LOW", "harmless", 1)
    kept.put("HIGH", "powerful", 1)
    content = json.loads(file.read_bytes())
    content["secrets"]["LOW"] = content["secrets"]["HIGH"]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SecretUnusableError, match="not sealed under that name"):
        kept.find("LOW")
    file.write_text("{", encoding="utf-8")
    with pytest.raises(SecretUnusableError, match="damaged"):
        kept.names()


def test_two_that_set_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each of several writers finds its secret afterwards."""
    names = [f"S{n}" for n in range(12)]
    threads = [
        threading.Thread(target=lambda name=name: store(tmp_path).put(name, f"value-{name}", 1))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: store(tmp_path).find(name) for name in names} == {n: f"value-{n}" for n in names}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its name and the reason."""
    (tmp_path / "kept").write_text("a file", encoding="utf-8")
    with pytest.raises(SecretUnusableError, match="kept"):
        store(tmp_path).put("TOKEN", "s3cret", 1)
    with pytest.raises(SecretUnusableError, match="cannot be read"):
        store(tmp_path).names()
