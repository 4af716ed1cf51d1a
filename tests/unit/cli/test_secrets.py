"""`hv secrets`: values come in by standard input or a file, and never come out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ops.stack.layout import REPO_ROOT
from shared.runtime.secret_store import KEY_FILE, STORE_FILE, SecretStore


def hv(
    home: Path, *arguments: str, given: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run it on a home of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "services.cli", "secrets", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT), "HIVE_HOME": str(home), **env},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_secret_is_set_listed_and_removed(tmp_path: Path) -> None:
    """From standard input or a file, without the line end; the agent's store has it then, and no
    output of any command does."""
    file = tmp_path / "given"
    file.write_text("from-a-file\n", encoding="utf-8")
    done = [
        hv(tmp_path, "set", "TOKEN", given="s3cret value\n"),
        hv(tmp_path, "set", "OTHER", "--file", str(file)),
        hv(tmp_path, "--json"),
        hv(tmp_path, "list"),
    ]
    assert [one.returncode for one in done] == [0, 0, 0, 0]
    assert [one["name"] for one in json.loads(done[2].stdout)] == ["OTHER", "TOKEN"]
    assert not any("s3cret" in one.stdout + one.stderr for one in done)
    store = SecretStore(tmp_path / STORE_FILE, tmp_path / KEY_FILE)
    assert (store.find("TOKEN"), store.find("OTHER")) == ("s3cret value", "from-a-file")
    assert json.loads(hv(tmp_path, "rm", "TOKEN", "--json").stdout) == {"name": "TOKEN"}
    assert store.find("TOKEN") is None


def test_the_key_may_lie_elsewhere(tmp_path: Path) -> None:
    """HIVE_SECRETS_KEY names the key file, for `hv` as for the agent."""
    key = tmp_path / "elsewhere.key"
    assert hv(tmp_path, "set", "TOKEN", given="s3cret", HIVE_SECRETS_KEY=str(key)).returncode == 0
    assert SecretStore(tmp_path / STORE_FILE, key).find("TOKEN") == "s3cret"
    assert not (tmp_path / KEY_FILE).exists()


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    """A value that could not be hidden, a name that is none, a file or secret that is not there:
    each is refused in a sentence, with exit code 2."""
    for done, said in (
        (hv(tmp_path, "set", "TOKEN", given="abc"), "could not be hidden"),
        (hv(tmp_path, "set", "9A", given="s3cret"), "no name for a secret"),
        (hv(tmp_path, "set", "TOKEN", "-f", str(tmp_path / "gone")), "No such file"),
        (hv(tmp_path, "rm", "TOKEN"), "has no secret TOKEN"),
    ):
        assert done.returncode == 2
        assert said in done.stderr
        assert "s3cret" not in done.stderr
