"""`hv record` and its kin as processes, and every shell, against a gateway on real servers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.integration.gateway_fixtures import quiet_world as _world_fixture  # noqa: F401
from tests.integration.recording_person import Person, new_person, served_world  # noqa: F401
from tests.integration.shells.typing import typing
from tests.integration.test_gateway_commands import recorded

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

AWAY = {"HIVE_URL": "http://127.0.0.1:1"}


async def test_many_as_json_lines(person: Person) -> None:
    """Standard input has one a line, in order; a line that is none is refused by its number."""
    text = "\n".join(json.dumps({"command": f"echo {n}", "exit": n}) for n in range(5))
    await person.hv("record", stdin=text)
    assert await person.lines() == [f"echo {n}" for n in range(5)]
    _, err = await person.hv("record", stdin='{"command": "ls"}\nls', code=2)
    assert "Line 2 is not JSON" in err
    _, err = await person.hv("record", stdin='{"command": "ls", "colour": 1}', code=2)
    assert "Line 1 has an unknown field 'colour'" in err
    assert len(await person.lines()) == 5


async def test_what_is_not_recorded(person: Person) -> None:
    """A pause, a pattern and a blank keep a command out, whoever asks."""
    _, err = await person.hv("record", "--", "ls", more={"HIVE_RECORD": "off"})
    assert "nothing is recorded" in err
    await person.hv("record", "--", "a private b", more={"HIVE_RECORD_IGNORE": "top:*private*"})
    await person.hv("record", "--", " ls")
    hook = json.dumps({"tool_name": "Bash", "tool_input": {"command": "ls"}})
    await person.hv("record", "--agent-hook", stdin=hook, more={"HIVE_RECORD": "off"})
    assert await person.lines() == []
    assert not person.spool.exists()


async def test_opting_out_and_forgetting(person: Person) -> None:
    """`hv recording off` keeps all out; `hv forget` orders what leaves the record."""
    await person.hv("record", "--", "ls")
    out, _ = await person.hv("recording", "off")
    assert f"Commands of {person.name} are not recorded." in out
    _, err = await person.hv("record", "--", "id")
    assert "opted out" in err
    out, _ = await person.hv("recording", "--json")
    assert json.loads(out)["on"] is False
    await person.hv("recording", "on")
    out, _ = await person.hv("forget", "mysql -pS3cr3t!")
    assert "mysql -p***" in out
    await person.hv("forget", "--everything")
    _, err = await person.hv("forget", code=2)
    assert "everything" in err
    assert await person.lines() == ["ls"]
    orders = [one.item for one in await recorded(person.world, person.name)][1:]
    assert [(order.type, getattr(order, "user", "")) for order in orders] == [
        ("forget", person.name)
    ] * 2


async def test_what_an_agent_ran(person: Person) -> None:
    """A hook's call is recorded as the agent's, without secrets, soon after, and without a word."""
    told: dict[str, Any] = {
        "session_id": "conversation-1",
        "cwd": "/srv/shop",
        "tool_name": "Bash",
        "tool_input": {"command": "curl -u bob:S3cr3t! https://x.net"},
        "tool_response": {"stdout": "", "exit_code": 22},
        "tool_use_id": "call-1",
    }
    for _ in range(2):
        said = await person.hv("record", "--agent-hook", stdin=json.dumps(told))
        assert said == ("", "")
    assert await person.until(1) == ["curl -u bob:*** https://x.net"]
    (item,) = await person.commands()
    assert (item.source, item.session, item.cwd, item.exit) == (
        "agent",
        "conversation-1",
        "/srv/shop",
        22,
    )


@pytest.mark.parametrize("stdin", ["", "no json", '{"tool_name": "Edit"}', "[]", "\x00"])
async def test_a_hook_never_fails_the_agent(person: Person, stdin: str) -> None:
    """Whatever it is told, and wherever the spool cannot be, it says nothing and ends with 0."""
    said = await person.hv("record", "--agent-hook", stdin=stdin)
    assert said == ("", "")
    hook = json.dumps({"tool_name": "Bash", "tool_input": {"command": "ls"}})
    nowhere = {"HIVE_RECORD_SPOOL": "/proc/nowhere"}
    assert await person.hv("record", "--agent-hook", stdin=hook, more=nowhere) == ("", "")


async def test_a_history_is_imported_once(person: Person) -> None:
    """Times and order are kept, secrets are not; again, it adds only what is new."""
    history = person.home / "history"
    text = "#1700000000\nls\n#1700000005\nexport TOKEN=S3cr3t!\n#1700000009\nls\n"
    history.write_text(text, encoding="utf-8")
    out, _ = await person.hv("import-history", str(history))
    assert out == "3 of 3 commands of bash are recorded.\n"
    items = await person.commands()
    assert [item.command for item in items] == ["ls", "export TOKEN=***", "ls"]
    assert [item.at_ms for item in items] == [
        1_700_000_000_000,
        1_700_000_005_000,
        1_700_000_009_000,
    ]
    assert {(item.source, item.session) for item in items} == {("import", "history-bash")}
    history.write_text(text.partition("ls\n")[2] + "#1700000010\nid\n", encoding="utf-8")
    out, _ = await person.hv("import-history", str(history), "--json")
    assert json.loads(out)["recorded"] == 3
    assert [item.command for item in await person.commands()][3:] == ["id"]
    _, err = await person.hv("import-history", str(history), "--shell", "csh", code=2)
    assert "csh" in err
    _, err = await person.hv("import-history", "missing", code=2)
    assert "missing cannot be read" in err


@pytest.mark.parametrize("shell", ["zsh", "fish"])
async def test_what_is_typed_reaches_the_record(
    person: Person, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed into a real shell is in the record soon after, without its secrets, which no
    request held either; what the last prompt left is sent when the shell ends."""
    monkeypatch.setenv("HIVE_RECORD_SPOOL", str(person.spool))
    kept = {name: value for name, value in person.variables.items() if name.startswith("HIVE_")}
    kept |= {"HIVE_RECORD_EVERY": "0"}

    def type_lines() -> None:
        with typing(shell, person.home, **kept) as typist:
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
    assert {(item.shell, item.source) for item in items} == {(shell, "shell")}
