"""Analytics through the gateway: what was counted is told exactly, bad questions name the field."""

from __future__ import annotations

import time
from typing import Any

import pytest
import pytest_asyncio

from shared.adapters.mongo.analytics import MongoAnalyticsStore
from shared.analytics.periods import DAY_MS, HOUR_MS, beginning_of
from shared.learning.records import AnyRecord
from shared.ports.analytics import Counted
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import Terminal, terminal
from tests.unit.analytics.items import attempt, feedback, folded, rollback, run

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANALYTICS = "/api/v1/analytics"
NOW_MS = round(time.time() * 1000)
YESTERDAY_MS = beginning_of(NOW_MS, "day") - 12 * HOUR_MS


def items() -> list[AnyRecord]:
    """Two days ago and yesterday: two templates, two agents, failures, a rollback, answers."""
    runs = [
        run(
            f"ex_{number}",
            ms=1_000 * (number + 1),
            started_at_ms=YESTERDAY_MS - (number % 2) * DAY_MS,
            status="failed" if number == 3 else "completed",
            failure_code="exit_code" if number == 3 else "",
            failed_step="check" if number == 3 else "",
            attempts=(
                attempt(ms=1_000, agent="agent-a"),
                attempt(
                    ms=2_000,
                    agent="agent-b",
                    outcome="failed" if number == 3 else "completed",
                    code="exit_code" if number == 3 else "",
                ),
            ),
        )
        for number in range(4)
    ]
    rotation: dict[str, Any] = {
        "template_id": "rotate_keys",
        "category": "security",
        "attempts": (),
    }
    other = run("ex_9", started_at_ms=YESTERDAY_MS, **rotation)
    return [
        *runs,
        other,
        rollback(at_ms=YESTERDAY_MS, asked_at_ms=YESTERDAY_MS - 3_000),
        feedback(at_ms=YESTERDAY_MS),
        feedback("dismissed", id="f2", kind="command", suggested="ls", at_ms=YESTERDAY_MS),
    ]


@pytest_asyncio.fixture(name="counted", scope="module", loop_scope="module", autouse=True)
async def tables_are_counted(world: World) -> None:
    """As the learning service does it."""
    store = MongoAnalyticsStore(world.mongo)
    changes = folded(items()).take_changes()
    await store.write(changes.tables, 8)
    await store.tell(Counted(8, changes.newest_ms, changes.kept))


@pytest_asyncio.fixture(name="shell", scope="module", loop_scope="module")
async def hv_shell(world: World) -> Any:
    async with terminal(world) as opened:
        yield opened


async def ask(world: World, path: str, **query: Any) -> Any:
    query = {name.rstrip("_"): value for name, value in query.items()}
    answer = await world.client.get(f"{ANALYTICS}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_overview_tells_what_was_run(world: World) -> None:
    """Counts, shares with their interval, durations, rollbacks, suggestions, and when."""
    found = await ask(world, "overview", from_="3d", by="day")
    runs = found["runs"]
    assert (runs["runs"], runs["completed"], runs["failed"]) == (5, 4, 1)
    assert runs["success"]["share"] == 0.8
    assert runs["success"]["low"] < 0.8 < runs["success"]["high"]
    assert runs["durations"]["count"] == 4
    assert runs["durations"]["most_ms"] == 5_000
    assert found["rollbacks"]["rolled_back"] == 1
    assert found["rollbacks"]["durations"]["p50_ms"] == 3_000
    assert found["suggestions"]["taken"]["of"] == 2
    series = {one["from_ms"]: one["runs"] for one in found["series"] if one["runs"]}
    day = beginning_of(YESTERDAY_MS, "day")
    assert series == {day - DAY_MS: 2, day: 3}
    assert found["range"]["as_of_ms"] == max(item.at_ms for item in items())


async def test_hours_are_told_too(world: World) -> None:
    """By the hour, and of a range of hours only what was in it."""
    hour = beginning_of(YESTERDAY_MS, "hour")
    found = await ask(world, "overview", from_=str(hour), to=str(hour + HOUR_MS), by="hour")
    assert [one["runs"] for one in found["series"]] == [3]
    found = await ask(world, "overview", from_=str(hour + HOUR_MS), to=str(hour + 2 * HOUR_MS))
    assert found["runs"]["runs"] == 0
    assert found["runs"]["success"] is None
    assert found["runs"]["durations"] is None


@pytest.mark.parametrize(
    ("filters", "runs"),
    [({"category": "security"}, 1), ({"template": "disk_check"}, 4), ({"category": "none"}, 0)],
)
async def test_one_category_or_template(world: World, filters: dict[str, str], runs: int) -> None:
    """Only of what is asked for."""
    assert (await ask(world, "overview", **filters))["runs"]["runs"] == runs


async def test_templates_steps_and_agents(world: World) -> None:
    """Lists, with what they are ordered by first."""
    templates = (await ask(world, "templates"))["items"]
    assert [(one["template_id"], one["runs"]["runs"]) for one in templates] == [
        ("disk_check", 4),
        ("rotate_keys", 1),
    ]
    steps = await ask(world, "steps", order="failures")
    assert [(one["step"], one["attempts"]["failed"]) for one in steps["items"]] == [("check", 1)]
    assert steps["items"][0]["time_share"] == 1.0
    assert (await ask(world, "steps", category="security"))["items"] == []
    agents = (await ask(world, "agents"))["items"]
    assert [(one["agent"], one["attempts"]["busy_ms"]) for one in agents] == [
        ("agent-b", 8_000),
        ("agent-a", 4_000),
    ]
    assert agents[0]["speed"]["ratio"] == pytest.approx(2.0, rel=1e-3)
    assert agents[0]["work_share"] == pytest.approx(2 / 3)
    of_template = (await ask(world, "agents", template="disk_check"))["items"]
    assert {one["agent"] for one in of_template} == {"agent-a", "agent-b"}
    assert (await ask(world, "templates", limit=1))["more"] == 1


async def test_one_template_and_one_agent_closely(world: World) -> None:
    """Versions, steps, agents and failures of one; steps and failures of the other."""
    found = await ask(world, "templates/disk_check")
    assert found["runs"]["runs"] == 4
    assert [one["version"] for one in found["versions"]] == ["1.0.0"]
    assert found["steps"][0]["attempts"]["attempts"] == 8
    assert found["failures"] == [{"step": "check", "code": "exit_code", "runs": 1, "recovered": 0}]
    agent = await ask(world, "agents/agent-b")
    assert agent["line"]["attempts"]["failed"] == 1
    assert agent["failures"] == [{"code": "exit_code", "attempts": 1}]
    assert agent["steps"][0]["template_id"] == "disk_check"


async def test_rollbacks_and_suggestions(world: World) -> None:
    """By time and by template."""
    found = await ask(world, "rollbacks")
    assert [one["template_id"] for one in found["items"]] == ["disk_check"]
    assert sum(one["over"] for one in found["series"]) == 1
    answers = await ask(world, "suggestions")
    assert [(one["kind"], one["template_id"]) for one in answers["items"]] == [
        ("command", ""),
        ("workflow", "disk_check"),
    ]
    only = await ask(world, "suggestions", template="disk_check")
    assert only["suggestions"]["accepted"] == 1
    assert only["suggestions"]["dismissed"] == 0


async def test_a_template_that_never_ran_has_no_rate(world: World) -> None:
    """It is told as such, with no number made up."""
    found = await ask(world, "templates/maintenance_window")
    assert found["runs"]["runs"] == 0
    assert found["runs"]["success"] is None


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("overview", {"from": "yesterday"}, "from"),
        ("overview", {"to": "7 days"}, "to"),
        ("overview", {"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ("overview", {"by": "minute"}, "by"),
        ("overview", {"from": "60d", "by": "hour"}, "by"),
        ("overview", {"from": "3y", "by": "day"}, "by"),
        ("overview", {"template": "dsk_check"}, "template"),
        ("overview", {"template": "disk_check", "category": "x"}, "category"),
        ("steps", {"template": "dsk_check"}, "template"),
        ("steps", {"order": "size"}, "order"),
        ("steps", {"limit": "0"}, "limit"),
        ("rollbacks", {"by": "hour"}, "by"),
        ("agents", {"catgory": "x"}, "catgory"),
    ],
)
async def test_bad_questions_name_the_field(
    world: World, path: str, query: dict[str, str], field: str
) -> None:
    """422, with what to send instead."""
    answer = await world.client.get(f"{ANALYTICS}/{path}", params=query)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["errors"][0]
    assert problem["field"].endswith(field)
    assert problem["message"]


@pytest.mark.parametrize("path", ["templates/dsk_check", "agents/agent-z"])
async def test_what_is_not_there_is_404(world: World, path: str) -> None:
    """A template that is neither in the library nor ever ran; an agent that did nothing."""
    answer = await world.client.get(f"{ANALYTICS}/{path}")
    assert answer.status_code == 404, answer.text


async def test_viewers_may_look(world: World) -> None:
    """And nobody without a key."""
    async with await world.as_role("viewer") as viewer:
        assert (await viewer.get(f"{ANALYTICS}/overview")).status_code == 200
    answer = await world.client.get(f"{ANALYTICS}/overview", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401


async def test_hv_draws_it(shell: Terminal) -> None:
    """Headline, sparkline and tables; the same numbers as JSON."""
    text = await shell.hv("analytics", "--since", "3d")
    assert "5 runs, 80 % (38–96) succeeded, 1 failed" in text
    assert "Rollbacks: 1 over, 1 rolled back" in text
    assert "disk_check.check" in text
    assert "2x slower (of 3)" in text
    found = await shell.json("analytics", "--since", "3d")
    assert set(found) == {"overview", "templates", "steps", "agents"}
    assert found["overview"]["runs"]["runs"] == 5


async def test_hv_looks_closely(shell: Terminal) -> None:
    """One template, one agent, one subject."""
    text = await shell.hv("analytics", "disk_check")
    assert "exit_code" in text
    assert "agent-b" in text
    assert "agent-b" in await shell.hv("analytics", "--agent", "agent-b")
    assert "disk_check" in await shell.hv("analytics", "--about", "rollbacks")
    assert "(commands)" in await shell.hv("analytics", "-a", "suggestions")
    assert "No runs yet" in await shell.hv(
        "analytics", "-a", "steps", "--until", "300d", "--since", "301d"
    )
    text = await shell.hv("analytics", "maintenance_window")
    assert "no runs yet" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("disk_check", "--category", "x"), "--category goes not with a template"),
        (("--agent", "a", "--about", "steps"), "--agent stands alone"),
        (("--since", "soon"), "is not a moment"),
    ],
)
async def test_hv_says_what_does_not_go(
    shell: Terminal, arguments: tuple[str, ...], said: str
) -> None:
    """Bad options are told with what to do."""
    assert said in await shell.hv("analytics", *arguments, code=2)
