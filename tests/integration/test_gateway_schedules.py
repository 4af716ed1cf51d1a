"""Schedules through REST and `hv`, on real servers with a real executor."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.mongo.executions import MongoExecutionStore
from shared.automation.messages import Paused
from shared.automation.schedule import run_id
from shared.contracts.history import Quarantined
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/api/v1/schedules"


async def template(world: World, version: str = "1.0.0", name: str = "", **more: Any) -> str:
    template_id = name or f"timed_{secrets.token_hex(4)}"
    definition = {
        "id": template_id,
        "name": template_id,
        "version": version,
        "steps": [{"id": "a", "command": "noop"}],
        **more,
    }
    answer = await world.client.post("/api/v1/workflows/templates", json=definition)
    assert answer.status_code == 201, answer.text
    return template_id


def spec(template_id: str, **more: Any) -> dict[str, Any]:
    return {"name": "s", "template_id": template_id, "timetable": {"every_s": 1}, **more}


async def made(world: World, **wanted: Any) -> dict[str, Any]:
    answer = await world.client.post(URL, json=wanted)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert found["pending"] is False
    return found


async def view(world: World, schedule_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await world.client.get(f"{URL}/{schedule_id}")).json()
    return found


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - the executor changes it
            await asyncio.sleep(0.05)


async def test_the_life_of_a_schedule(world: World) -> None:
    """It runs every second, once each; it is changed, paused, resumed and deleted."""
    template_id = await template(world)
    schedule = await made(world, **spec(template_id, labels={"team": "web"}))
    schedule_id = schedule["id"]
    assert len(schedule["upcoming"]) == 5
    assert schedule["created_by"] == "admin"

    async def ran() -> bool:
        ends: list[str] = [f["ended"] for f in (await view(world, schedule_id))["recent"]]
        return ends.count("completed") > 1

    await until(ran)
    paused = await world.client.post(f"{URL}/{schedule_id}/pause", json={"reason": "disks"})
    assert (paused.json()["status"], paused.json()["reason"]) == ("paused", "disks")
    assert paused.json()["upcoming"] == []
    again = await world.client.post(f"{URL}/{schedule_id}/pause")
    assert again.status_code == 409
    assert "paused, not active" in again.json()["detail"]

    async def over() -> bool:
        return not (await view(world, schedule_id))["runs"]

    await until(over)
    found = await view(world, schedule_id)
    listed = await world.client.get(
        "/api/v1/workflows/executions", params={"template": template_id, "limit": 200}
    )
    executions = listed.json()["items"]
    assert len(executions) == found["counts"]["started"]
    assert {one["id"] for one in executions} == {
        run_id(schedule_id, 1, f["moment_ms"]) for f in found["recent"] if f["execution_id"]
    }
    assert {one["requested_by"] for one in executions} == {schedule_id}
    one = (await world.client.get(f"/api/v1/workflows/executions/{executions[0]['id']}")).json()
    assert one["requested_by"] == {"kind": "schedule", "id": schedule_id}
    assert one["trigger"]["kind"] == "scheduled"
    assert one["trigger"]["source"] == schedule_id
    assert one["trigger"]["evidence"] == {"schedule": "s", "edition": 1}

    daily = spec(template_id, timetable={"cron": "30 2 * * *", "timezone": "Europe/Berlin"})
    stale = await world.client.put(f"{URL}/{schedule_id}?if_edition=9", json=daily)
    assert stale.status_code == 409
    changed = await world.client.put(f"{URL}/{schedule_id}?if_edition=1", json=daily)
    assert changed.json()["edition"] == 2
    resumed = (await world.client.post(f"{URL}/{schedule_id}/resume")).json()
    assert resumed["upcoming"][0]["local"].endswith(("02:30:00+01:00", "02:30:00+02:00"))
    ahead = (await world.client.get(f"{URL}/{schedule_id}/upcoming?count=12")).json()
    assert ahead["moments"][:5] == resumed["upcoming"]
    assert len(ahead["moments"]) == 12
    assert (await world.client.delete(f"{URL}/{schedule_id}")).json() == {"id": schedule_id}
    assert (await world.client.get(f"{URL}/{schedule_id}")).status_code == 404
    assert (await world.client.delete(f"{URL}/{schedule_id}")).status_code == 404
    assert schedule_id not in (await world.client.get(URL)).text


async def test_latest_follows_and_what_cannot_run_says_why(world: World) -> None:
    """A new version of the template is taken at its next moment; where its parameters do not fit
    any more, each moment is refused with the reason, and the metrics count it."""
    template_id = await template(world)
    schedule = await made(world, **spec(template_id))

    async def started_by(version: str) -> bool:
        recent = (await view(world, schedule["id"]))["recent"]
        return any(f["template_version"] == version for f in recent)

    await until(lambda: started_by("1.0.0"))
    await template(world, "1.1.0", template_id)
    await until(lambda: started_by("1.1.0"))
    await template(
        world, "2.0.0", template_id, parameters={"host": {"type": "string", "required": True}}
    )

    async def refused() -> bool:
        recent = (await view(world, schedule["id"]))["recent"]
        return any("missing: host" in f["reason"] for f in recent if f["outcome"] == "refused")

    await until(refused)
    await world.client.delete(f"{URL}/{schedule['id']}")


async def test_what_cannot_be_is_refused_at_once(world: World) -> None:
    """Unknown templates, parameters that do not fit, impossible times, and roles that may not."""
    template_id = await template(world, parameters={"n": {"type": "integer", "default": 1}})
    for wanted, status, field in [
        (spec("no_such_template"), 404, None),
        (spec(template_id, template_version="9.9.9"), 404, None),
        (spec(template_id, parameters={"n": "many"}), 422, "parameters/n"),
        (spec(template_id, timetable={"cron": "61 * * * *"}), 422, "timetable"),
        (spec(template_id, timetable={"cron": "0 0 30 2 *"}), 422, "timetable"),
        (spec(template_id, timetable={"at": "2020-01-01T00:00:00Z"}), 422, "timetable"),
        (spec(template_id, timetable={"every_s": 5, "timezone": "Mars"}), 422, "timetable"),
        (spec(template_id, overlap="sometimes"), 422, "overlap"),
    ]:
        answer = await world.client.post(URL, json=wanted)
        assert answer.status_code == status, answer.text
        if field is not None:
            assert [error["field"] for error in answer.json()["errors"]] == [field]
    viewer = await world.as_role("viewer")
    assert (await viewer.post(URL, json=spec(template_id))).status_code == 403
    assert (await viewer.get(URL)).status_code == 200
    preview = await viewer.post(
        f"{URL}/preview",
        json={
            "timetable": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
            "after": "2026-03-28T12:00:00Z",
            "count": 2,
        },
    )
    assert [one["local"] for one in preview.json()["moments"]] == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


async def test_what_was_put_aside_about_a_schedule_is_put_back(world: World) -> None:
    """A message about a schedule is retried as one about an execution is, and takes effect."""
    template_id = await template(world)
    schedule_id = (await made(world, **spec(template_id, timetable={"every_s": 3_600})))["id"]
    paused = Paused(request_id="late", reason="put back").model_dump_json()
    put_aside = Quarantined(
        execution_id=schedule_id, partition=0, seq=1, at_ms=1, reason="r", payload=paused
    )
    await MongoExecutionStore(world.mongo).quarantine(put_aside)
    entries = (await world.client.get("/api/v1/quarantine")).json()["items"]
    (entry,) = [one for one in entries if one["execution_id"] == schedule_id]
    retried = await world.client.post(f"/api/v1/quarantine/{entry['id']}/retry")
    assert retried.is_success, retried.text

    async def took_effect() -> bool:
        return bool((await view(world, schedule_id))["reason"] == "put back")

    await until(took_effect)
    await world.client.delete(f"{URL}/{schedule_id}")


async def test_from_the_terminal(world: World, tmp_path: Path) -> None:
    """`hv schedules` does what REST does, from options and from a file."""
    template_id = await template(world, parameters={"n": {"type": "integer", "default": 1}})
    async with terminal(world) as shell:
        one = await shell.json(
            *("schedules", "create", template_id, "--cron", "0 6 * * MON", "-p", "n=3"),
            *("--timezone", "Asia/Tokyo", "--overlap", "queue"),
        )
        assert one["definition"]["parameters"] == {"n": 3}
        assert one["upcoming"][0]["local"].endswith("T06:00:00+09:00")
        two = await shell.json("schedules", "update", one["id"], "--cron", "0 7 * * *")
        assert (two["edition"], two["definition"]["overlap"]) == (2, "queue")
        assert two["definition"]["timetable"] == {
            "cron": "0 7 * * *",
            "timezone": "Asia/Tokyo",
            "every_s": None,
            "at": None,
            "starts_at": None,
        }
        assert one["id"] in await shell.hv("schedules")
        shown = await shell.hv("schedules", "show", one["id"])
        assert "T07:00:00+09:00" in shown
        ahead = await shell.hv("schedules", "next", one["id"], "-n", "7")
        assert len(ahead.splitlines()) == 7
        file = tmp_path / "spec.yaml"
        file.write_text("timetable: {every_s: 3600}\njitter_s: 60\nname: hourly\n")
        three = await shell.json("schedules", "create", template_id, "--file", str(file))
        assert (three["definition"]["name"], three["definition"]["jitter_s"]) == ("hourly", 60)
        assert "paused" in await shell.hv("schedules", "pause", one["id"], "--reason", "why")
        assert "active" in await shell.hv("schedules", "resume", one["id"])
        assert "Removed" in await shell.hv("schedules", "delete", one["id"])
        assert await shell.hv("schedules", "preview", "--every", "5", "-n", "2")
        await shell.hv("schedules", "create", template_id, "--cron", "x", code=2)
        await shell.hv("schedules", "delete", three["id"])
