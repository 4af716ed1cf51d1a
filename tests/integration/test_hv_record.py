"""`hv record` as a process, and a real shell, against a gateway on real servers."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.integration.gateway_fixtures import quiet_world as _world_fixture  # noqa: F401
from tests.integration.recording_person import Person, new_person, served_world  # noqa: F401
from tests.integration.shells.typing import typing

pytestmark = pytest.mark.asyncio(loop_scope="module")

AWAY = {"HIVE_URL": "http://127.0.0.1:1"}


async def test_a_command_is_recorded(person: Person) -> None:
    """A command with its exit code, and where it was run; its secrets stay on this machine; the
    same id again counts once."""
    given = ("record", "--exit", "3", "--duration-ms", "12", "--session", "s", "--id", "x", "--")
    for _ in range(2):
        assert await person.hv(*given, "mysql", "-pS3cr3t!", "a b") == ("", "")
    (item,) = await person.commands()
    assert (item.command, item.exit, item.duration_ms) == ("mysql '-p***' 'a b'", 3, 12)
    assert (item.cwd, item.session) == (str(person.home), "s")
    out, _ = await person.hv("record", "--json", "--", "ls | wc")
    assert json.loads(out) == {"recorded": 1, "left_out": 0, "invalid": 0, "why": ""}
    assert await person.lines() == ["mysql '-p***' 'a b'", "ls | wc"]


async def test_what_cannot_be_sent_waits(person: Person) -> None:
    """While the gateway is away commands wait, without secrets; they are sent once it is back."""
    _, err = await person.hv("record", "--", "mysql -pS3cr3t!", more=AWAY)
    assert "is sent later" in err
    await person.hv("record", stdin='{"command": "ls"}', more=AWAY)
    assert len(person.waiting()) == 2
    assert all("S3cr3t" not in one.read_text() for one in person.waiting())
    await person.hv("record", "--flush", code=3, more=AWAY)
    await person.hv("record", "--flush")
    assert await person.lines() == ["mysql -p***", "ls"]
    assert person.waiting() == []


async def test_what_is_typed_reaches_the_record(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed into a real shell is in the record soon after, without its secrets, which no
    request held either; what the last prompt left is sent when the shell ends."""
    monkeypatch.setenv("HIVE_RECORD_SPOOL", str(person.spool))
    kept = {name: value for name, value in person.variables.items() if name.startswith("HIVE_")}
    kept |= {"HIVE_RECORD_EVERY": "0"}

    def type_lines() -> None:
        with typing("bash", person.home, **kept) as typist:
            typist.line("true --password S3cr3t!")
            typist.line("false | true")
            typist.line("cd / ")
            typist.end()

    await asyncio.to_thread(type_lines)
    found = await person.until(3)
    assert found[:2] == ["true --password ***", "false | true"]
    assert found[2].strip() == "cd /"
    items = await person.commands()
    assert [item.exit for item in items[:3]] == [0, 0, 0]
    assert {(item.shell, item.source) for item in items} == {("bash", "shell")}
