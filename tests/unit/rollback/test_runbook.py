"""The runbook: what people do, in order, host by host, with real values."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.rollback.items import Check, Item, Left, Plan
from shared.rollback.runbook import runbook
from shared.rollback.shell_lines import described, lines_of, needs_secrets
from shared.rollback.state import Tick
from shared.workflow.messages import Actor


def item(number: int, **fields: Any) -> Item:
    """One item of a plan."""
    known = {
        "number": number,
        "key": f"s{number}",
        "execution_id": "ex_1",
        "step": f"s{number}",
        "agent": "web-1",
        "did": "shell",
        "how": "rollback",
        "command": "shell",
        "parameters": {"argv": ["rm", "-f", "/tmp/a b"]},
    }
    return Item.model_validate({**known, **fields})


def plan(*items: Item, **fields: Any) -> Plan:
    """A plan of these items."""
    return Plan(execution_id="ex_1", number=1, strategy="manual", items=items, **fields)


def test_it_goes_by_rounds_and_hosts() -> None:
    """Rounds in order, within one host by host, each item with its command and its check."""
    check = Check(command="shell", parameters={"argv": ["ls"]}, condition="output.exit_code == 0")
    text = runbook(
        plan(
            item(1, agent="web-2", check=check),
            item(2, name="Write it", certain=False, notes=("look at the disk",)),
            item(3, round=2, check=Check(condition="output.ok")),
        )
    )
    order = [
        "# Rollback 1 of ex_1",
        "3 steps in order",
        "## Round 1",
        "### On web-1",
        "**2. Undo `s2`** (Write it), which ran `shell`.",
        "It is not certain that it did anything: look first.",
        "Note: look at the disk.",
        "rm -f '/tmp/a b'",
        "### On web-2",
        "**1. Undo `s1`**",
        "Then check:",
        "  ls",
        "It must hold: `output.exit_code == 0`",
        "## Round 2",
        "Then check, over what it returned: `output.ok`",
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places), text


def test_it_tells_what_is_ticked_off_and_what_remains() -> None:
    """Marks of people are shown with their words; what has no way back is at the end."""
    ticks = {"1": Tick(verdict="failed", by=Actor(id="olga"), comment="no key")}
    left = (
        Left(key="x", agent="db-1", did="http", kind="no_way_back", reason="it has no way back"),
        Left(key="y", did="shell", kind="irreversible", reason="a mail", accepted=True),
    )
    text = runbook(plan(item(1), left=left), ticks)
    assert "- [!] **1." in text
    assert "olga says: failed: no key" in text
    assert "- [ ] `http` of x on db-1: it has no way back" in text
    assert text.rstrip().endswith("- y: a mail")
    assert "There is nothing to undo." in runbook(plan())


def test_only_some_of_it_and_nothing_that_is_hidden() -> None:
    """Items can be chosen, and what must not be shown is not."""
    secret = item(2, parameters={"argv": ["x", "${{ secrets.TOKEN }}"]})
    text = runbook(plan(item(1), secret), None, [2], lambda v: {"argv": ["***"]} if v else v)
    assert "Undo `s1`" not in text
    assert "***" in text
    other = runbook(plan(item(1, command="hv-sync", parameters={"step": "`````"})))
    assert "Carry out the command `hv-sync` by hand" in other
    assert "``````json" in other
    assert "Fill in the secrets" in runbook(plan(secret))


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("shell", {"script": "echo \"$A\" > 'out file'\nEND", "env": {"A": "it's $HOME"}}),
        ("shell", {"argv": ["sh", "-c", "cat > 'out file'"], "stdin": "it's $HOME\n"}),
        ("file", {"operation": "write", "path": "out file", "content": "it's $HOME\n"}),
        (
            "file",
            {"operation": "write", "path": "out file", "content": "aXQncyAkSE9NRQo=",
             "encoding": "base64", "mode": "0600"},
        ),
    ],
)  # fmt: skip
def test_its_lines_do_what_agents_do(
    tmp_path: Path, command: str, parameters: dict[str, Any]
) -> None:
    """Pasted into a shell, the lines do the same, whatever is in the values."""
    lines = lines_of(command, parameters)
    assert lines is not None
    subprocess.run(["sh"], input=lines, text=True, cwd=tmp_path, check=False)
    assert (tmp_path / "out file").read_text() == "it's $HOME\n"


def test_every_file_operation_has_its_line(tmp_path: Path) -> None:
    """Reading, copying, deleting and the rest; what is unknown has none."""
    (tmp_path / "a").write_text("x")
    for operation, more in (
        ("copy", {"source": "a", "mode": "0640"}),
        ("read", {}),
        ("stat", {}),
        ("checksum", {}),
        ("permissions", {"mode": "0600"}),
        ("delete", {}),
    ):
        line = lines_of("file", {"operation": operation, "path": "b", **more})
        assert line is not None
        done = subprocess.run(["sh", "-e"], input=line, text=True, cwd=tmp_path, check=False,
                              capture_output=True)  # fmt: skip
        assert done.returncode == 0, (operation, done.stderr)
    assert not (tmp_path / "b").exists()
    assert lines_of("file", {"operation": "template", "path": "b"}) is None
    assert lines_of("hv-sync", {}) is None
    assert '"command": "hv-sync"' in described("hv-sync", {"bundle": "b"})


def test_requests_are_curl() -> None:
    """With method, headers, query and body."""
    line = lines_of(
        "http",
        {
            "method": "PUT",
            "url": "https://x/a?b=1",
            "query": {"c": ["d", "e"]},
            "headers": {"X-A": "1"},
            "json": {"n": "it's"},
        },
    )
    assert line == (
        "curl --fail-with-body -sS -X PUT -H 'X-A: 1' -H 'Content-Type: application/json' "
        """--data-binary '{"n": "it'"'"'s"}' 'https://x/a?b=1&c=d&c=e'"""
    )
    assert lines_of("http", {"url": "https://x", "body": "raw"}) == (
        "curl --fail-with-body -sS -X GET --data-binary raw https://x"
    )
    assert needs_secrets({"headers": {"A": "${{ secrets.T }}"}})
    assert not needs_secrets({"a": "b"})
