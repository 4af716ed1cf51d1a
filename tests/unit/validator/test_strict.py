"""What `strict` finds in the live system."""

from __future__ import annotations

from typing import Any

import pytest

from services.executor.policy import NameRules, Policy, ShellRules
from shared.automation.specs import ScheduleSpec
from shared.automation.states import ScheduleState
from shared.automation.timetable import Timetable
from shared.contracts.api.keys import Role
from shared.contracts.automations import StoredAutomation
from shared.ports.collective import InvalidRequestError
from shared.workflow.definition import Template
from shared.workflow.messages import Actor
from tests.unit.validator.hive import NOW_MS, SmallHive, codes, shell, template

SECRET = "a-very-secret-value"
NO_SCRIPTS = Policy(shell=ShellRules(allow_scripts=False))


@pytest.fixture
def hive() -> SmallHive:
    return SmallHive()


async def test_a_run_that_can_go_raises_nothing(hive: SmallHive) -> None:
    """An agent that fits, has room, and allows it."""
    await hive.agent("one")
    assert await hive.findings(template(shell())) == []


async def test_levels_below_are_not_looked_at_here(hive: SmallHive) -> None:
    """Static rules are for whoever asks."""
    assert await hive.findings(template(shell()), "standard") == []


async def test_without_an_agent_it_says_why_none_fits(hive: SmallHive) -> None:
    """Every live agent is named with what it lacks."""
    await hive.agent("one", capabilities=("http",))
    await hive.agent("two", labels={"zone": "a"}, draining=True)
    found = await hive.findings(template(shell()))
    assert codes(found) == ["no-agent"]
    assert found[0].path == "steps/0"
    assert "one: it lacks shell" in found[0].message
    assert "two: it is leaving" in found[0].message
    assert found[0].about == "system"


@pytest.mark.parametrize(
    "target", [{"host": "two"}, {"labels": {"zone": "b"}}, {"host": "${{ params.where }}"}]
)
async def test_a_target_that_nobody_is_is_found(hive: SmallHive, target: dict[str, Any]) -> None:
    """By name, by label, and by a parameter of this run."""
    await hive.agent("one", labels={"zone": "a"})
    declared = {"where": {"type": "string"}}
    one = template(shell(target=target), parameters=declared)
    assert codes(await hive.findings(one, parameters={"where": "two"})) == ["no-agent"]


async def test_a_target_that_is_not_known_before_the_run_is_left_alone(hive: SmallHive) -> None:
    """What an output decides cannot be looked up."""
    await hive.agent("one")
    steps = (shell(), shell("b", depends_on=["a"], target={"host": "${{ steps.a.output.stdout }}"}))
    assert await hive.findings(template(*steps)) == []


async def test_full_agents_are_said_to_be_full(hive: SmallHive) -> None:
    """A warning: a slot may become free."""
    await hive.agent("one", slots=2, running=2, load=1.0)
    found = await hive.findings(template(shell()))
    assert [(f.code, f.severity) for f in found] == [("busy-agents", "warning")]
    assert "one (2 of 2 slots)" in found[0].message
    await hive.agent("two")
    assert await hive.findings(template(shell())) == []


async def test_a_fleet_of_nobody_is_found(hive: SmallHive) -> None:
    """An error, or, where an empty fleet is allowed, worth knowing."""
    await hive.agent("one", labels={"role": "db"})
    where = {"where": "agent.labels.role == 'web'"}
    found = await hive.findings(template(shell(target=where)))
    assert [(f.code, f.severity) for f in found] == [("empty-fleet", "error")]
    empty = await hive.findings(template(shell(target={**where, "allow_empty": True})))
    assert [(f.code, f.severity) for f in empty] == [("empty-fleet", "info")]
    chosen = {"where": "agent.labels.role == params.role"}
    by_parameter = template(shell(target=chosen), parameters={"role": {"type": "string"}})
    assert codes(await hive.findings(by_parameter, parameters={"role": "web"})) == ["empty-fleet"]
    assert await hive.findings(by_parameter, parameters={"role": "db"}) == []
    assert await hive.findings(by_parameter, parameters=None) == []


async def test_a_policy_that_refuses_is_found_before_the_run(hive: SmallHive) -> None:
    """An error where every agent refuses, a warning where others can do it."""
    await hive.agent("one", NO_SCRIPTS)
    found = await hive.findings(template(shell()))
    assert [(f.code, f.severity) for f in found] == [("policy-refuses", "error")]
    assert "one" in found[0].message
    assert "allow_scripts" in found[0].message
    await hive.agent("two")
    weaker = await hive.findings(template(shell()))
    assert [(f.code, f.severity) for f in weaker] == [("policy-refuses", "warning")]


async def test_for_a_fleet_one_refusal_is_an_error(hive: SmallHive) -> None:
    """It runs on each of them, so that nobody else can do it instead."""
    await hive.agent("one", NO_SCRIPTS)
    await hive.agent("two")
    found = await hive.findings(template(shell(target={"where": "true"})))
    assert [(f.code, f.severity) for f in found] == [("policy-refuses", "error")]


async def test_compensations_are_asked_about_too(hive: SmallHive) -> None:
    """A rollback that the policy refuses is no way back."""
    await hive.agent("one", Policy(commands=NameRules(deny=("file",))))
    undo = {"command": "file", "parameters": {"operation": "delete", "path": "/tmp/x"}}
    found = await hive.findings(template(shell(rollback=undo)))
    assert [(f.code, f.path) for f in found] == [("policy-refuses", "steps/0/rollback")]


async def test_secrets_are_looked_up_by_name(hive: SmallHive) -> None:
    """Missing on some agents is a warning, on all an error; no value is in any answer."""
    step = {
        "id": "a",
        "command": "http",
        "parameters": {"url": "http://x", "headers": {"Authorization": "${{ secrets.TOKEN }}"}},
    }
    await hive.agent("one")
    found = await hive.findings(template(step))
    assert [(f.code, f.severity) for f in found] == [("secret-missing", "error")]
    assert "secrets.TOKEN is missing on one" in found[0].message
    await hive.agent("two", secrets={"TOKEN": SECRET})
    answer = await hive.ask(template(step))
    assert [f.severity for f in answer.findings] == ["warning"]
    assert SECRET not in answer.model_dump_json()


async def test_agents_that_say_nothing_are_named(hive: SmallHive) -> None:
    """What could not be looked at is said: the report is not silently weaker."""
    await hive.agent("mute", answers=False)
    found = await hive.findings(template(shell()))
    assert codes(found) == ["not-looked-at"]
    assert "mute" in found[0].message


async def test_what_cannot_be_read_is_said(hive: SmallHive) -> None:
    """A store that is away makes a finding, not an error, and not silence."""

    class Away:
        async def all(self, *_: object) -> Any:
            raise ConnectionError("mongod is away")

    await hive.agent("one")
    hive.keys = Away()  # type: ignore[assignment]
    found = await hive.findings(template(shell()))
    assert codes(found) == ["not-looked-at"]
    assert "who may approve cannot be read now: mongod is away" in found[0].message


@pytest.mark.parametrize(
    ("rule", "enough"),
    [
        ({"quorum": 2}, True),
        ({"quorum": 3}, False),
        ({"quorum": 3, "allow_self_approval": True}, True),
        ({"approvers": {"groups": ["ops"]}}, True),
        ({"approvers": {"groups": ["nobody"]}}, False),
        ({"approvers": {"users": ["alice"]}}, False),
        ({"approvers": {"users": ["watcher"]}}, False),
        ({"approvers": {"roles": ["admin"]}}, True),
        (
            {
                "approvers": {"groups": ["nobody"]},
                "expires_after_s": 60,
                "on_expiry": "escalate",
                "escalate_to": {"groups": ["ops"]},
            },
            True,
        ),
    ],
)
async def test_enough_people_must_be_able_to_answer(
    hive: SmallHive, rule: dict[str, Any], enough: bool
) -> None:
    """Roles, groups, names, escalation; who asks does not count, nor does who only watches."""
    await hive.agent("one")
    await hive.key("alice")
    await hive.key("bob", Role.OPERATOR, "ops")
    await hive.key("carol", Role.ADMIN)
    await hive.key("watcher", Role.VIEWER, "ops")
    gate = template(shell(approval=rule))
    found = await hive.findings(gate, requested_by="alice")
    assert codes(found) == ([] if enough else ["too-few-approvers"])
    assert all(f.path == "steps/0/approval" for f in found)


async def test_a_key_out_of_force_approves_nothing(hive: SmallHive) -> None:
    """A revoked key does not count."""
    await hive.agent("one")
    await hive.key("bob")
    simple = template(shell(), policies={"approval_required": True})
    assert await hive.findings(simple) == []
    await hive.keys.revoke("bob", NOW_MS)
    assert codes(await hive.findings(simple)) == ["too-few-approvers"]


async def test_a_key_that_others_use_otherwise_is_found(hive: SmallHive) -> None:
    """The same key with another limit; the same with the same limit is what keys are for."""
    await hive.agent("one")
    mine = template(shell(), policies={"concurrency": {"key": "deploy", "limit": 1}})
    other = {"id": "other", "name": "O", "steps": [shell()]}
    same = Template.model_validate(
        {**other, "policies": {"concurrency": {"key": "deploy", "limit": 1}}}
    )
    await hive.store(same)
    assert await hive.findings(mine) == []
    await hive.store(
        Template.model_validate(
            {**other, "id": "wide", "steps": [shell(concurrency={"key": "deploy", "limit": 5})]}
        )
    )
    found = await hive.findings(mine)
    assert codes(found) == ["shared-concurrency-key"]
    assert "wide (limit 5, queue)" in found[0].message


async def schedule(hive: SmallHive, name: str, cron: str) -> None:
    spec = ScheduleSpec(name=name, template_id="t", timetable=Timetable(cron=cron))
    state = ScheduleState(
        id=f"sc_{name}",
        spec=spec,
        anchor_ms=NOW_MS,
        created_by=Actor(),
        created_at_ms=NOW_MS,
        changed_by=Actor(),
        changed_at_ms=NOW_MS,
    )
    await hive.automations.write([StoredAutomation(partition=0, seq=1, state=state)])


async def test_schedules_that_meet_are_found(hive: SmallHive) -> None:
    """Two schedules start it while a run may go on; a concurrency key keeps runs apart."""
    await hive.agent("one")
    await schedule(hive, "hourly", "0 * * * *")
    await schedule(hive, "nightly", "5 3 * * *")
    slow = template(shell(), estimated_duration_s=600)
    found = await hive.findings(slow)
    assert codes(found) == ["overlapping-schedules"]
    assert "'nightly' starts it 300 s after 'hourly'" in found[0].message
    quick = template(shell(), estimated_duration_s=60)
    assert await hive.findings(quick) == []
    kept = template(
        shell(), estimated_duration_s=600, policies={"concurrency": {"key": "nightly-work"}}
    )
    assert await hive.findings(kept) == []


async def test_a_template_that_cannot_be_compiled_is_refused(hive: SmallHive) -> None:
    """Whoever asks has not looked at its static rules."""
    broken = template(shell(when="nonsense +"))
    with pytest.raises(InvalidRequestError, match="cannot be compiled"):
        await hive.findings(broken)
