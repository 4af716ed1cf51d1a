"""`hv-sync` over a hive in memory."""

import base64
from typing import Any

import pytest

from services.executor.commands.base import Completed, Failed
from tests.unit.collective.hive import LittleHive

SILENT_S = 0.2


def pushing(content: str, **fields: Any) -> dict[str, Any]:
    files = [{"path": "etc/app.conf", "content": content}]
    return {"operation": "push", "bundle": "web", "files": files, "deadline_s": 5, **fields}


async def on_disk(hive: LittleHive, agent: str) -> str:
    return (hive.folder / agent / "sync/web/etc/app.conf").read_text()


async def test_push_status_restore(hive: LittleHive) -> None:
    """A push reaches every agent, and restoring brings the earlier content back."""
    await hive.join("a", "b")
    await hive.run("hv-sync", pushing("one"))
    second = await hive.run("hv-sync", pushing("two"), attempt=2)
    assert isinstance(second, Completed)
    assert [agent["versions"] for agent in second.output["agents"]] == [{"web": 2}] * 2
    assert await on_disk(hive, "b") == "two"
    back = await hive.run("hv-sync", {"operation": "restore", "bundle": "web"}, attempt=3)
    assert isinstance(back, Completed)
    assert back.output["bundles"][0]["version"] == 1
    assert await on_disk(hive, "a") == "one"
    status = await hive.run("hv-sync", {"operation": "status"}, attempt=4)
    assert isinstance(status, Completed)
    assert (status.output["in_sync"], status.output["total"]) == (2, 2)


async def test_repeating_an_attempt_changes_nothing(hive: LittleHive) -> None:
    """The same attempt again neither pushes nor restores twice."""
    await hive.join("a")
    for number, content in enumerate(("one", "two", "three"), start=1):
        await hive.run("hv-sync", pushing(content), attempt=number)
    for _ in range(2):
        await hive.run("hv-sync", {"operation": "restore", "bundle": "web"}, attempt=9)
    assert await on_disk(hive, "a") == "two"


async def test_unreachable_and_drifted_agents_are_told(hive: LittleHive) -> None:
    """By default all must be in sync; status only tells."""
    await hive.join("a", "b")
    await hive.announce("gone")
    failure = await hive.run("hv-sync", pushing("one", deadline_s=SILENT_S))
    assert isinstance(failure, Failed)
    assert (failure.code, failure.retryable) == ("not_in_sync", True)
    assert "2 of 3" in failure.message
    assert failure.output["unreachable"] == ["gone"]
    (hive.folder / "b" / "sync/web/etc/app.conf").write_text("edited")
    asking = {"operation": "status", "deadline_s": SILENT_S}
    status = await hive.run("hv-sync", asking)
    assert isinstance(status, Completed)
    assert status.output["out_of_sync"] == ["b"]
    assert status.output["agents"][1]["problems"] == [
        "web/etc/app.conf: has another content than this version"
    ]
    assert await on_disk(hive, "b") == "edited"


async def test_force_mends_and_rewrites(hive: LittleHive) -> None:
    """Forced, every agent writes every file of every bundle again."""
    await hive.join("a")
    await hive.run("hv-sync", pushing("one"))
    (hive.folder / "a" / "sync/web/etc/app.conf").write_text("edited")
    forced = await hive.run("hv-sync", {"operation": "force", "deadline_s": 5})
    assert isinstance(forced, Completed)
    assert forced.output["agents"][0]["written"] == 1
    assert await on_disk(hive, "a") == "one"


async def test_who_was_away_is_brought_up_to_date(hive: LittleHive) -> None:
    """An agent that holds an older version gets the current one when it comes back."""
    (responder,) = await hive.join("a")
    await hive.run("hv-sync", pushing("one"))
    await responder.close()
    await hive.run("hv-sync", pushing("two", deadline_s=SILENT_S), attempt=2)
    assert await on_disk(hive, "a") == "one"
    await hive.responder("a").catch_up()
    assert await on_disk(hive, "a") == "two"


async def test_base64(hive: LittleHive) -> None:
    """Bytes travel as base64; what is not base64 is refused with the path."""
    await hive.join("a")
    data = bytes(range(256))
    file = {"path": "blob", "encoding": "base64", "content": base64.b64encode(data).decode()}
    await hive.run("hv-sync", {"operation": "push", "bundle": "bin", "files": [file]})
    assert (hive.folder / "a" / "sync/bin/blob").read_bytes() == data
    bad = {**file, "content": "?"}
    failure = await hive.run("hv-sync", {"operation": "push", "bundle": "bin", "files": [bad]})
    assert isinstance(failure, Failed)
    assert (failure.code, "blob" in failure.message) == ("invalid", True)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"operation": "push", "bundle": "web"}, "invalid_parameters"),
        ({"operation": "status", "version": 1}, "invalid_parameters"),
        ({"operation": "restore"}, "invalid_parameters"),
        (pushing("x") | {"files": [{"path": "../x", "content": ""}]}, "invalid_parameters"),
        ({"operation": "restore", "bundle": "none"}, "not_found"),
        ({"operation": "force", "bundle": "none"}, "not_found"),
    ],
)
async def test_misuse_is_clear(hive: LittleHive, parameters: dict[str, Any], code: str) -> None:
    """What cannot be done is refused before any agent is asked."""
    outcome = await hive.run("hv-sync", parameters)
    assert isinstance(outcome, Failed)
    assert outcome.code == code, outcome
