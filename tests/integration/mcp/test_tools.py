"""Every tool and resource over every transport, on a real gateway with a real executor."""

import asyncio
import itertools
import json
import secrets
from typing import Any

import pytest
from mcp import Client, MCPError

from shared.contracts.api.executions import ExecutionView
from shared.contracts.collective import MemoryQuery
from shared.workflow.definition import Template
from tests.integration.mcp.conftest import Connect, Served, called, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS = {
    "workflow_list",
    "workflow_create",
    "workflow_validate",
    "workflow_execute",
    "workflow_status",
    "workflow_explain",
    "workflow_cancel",
    "workflow_control",
    "workflow_rerun",
    "workflow_analytics",
    "workflow_rollback",
    "workflow_bulk",
    "workflow_history",
    "workflow_targets",
    "workflow_approvals",
    "workflow_approve",
    "schedule_list",
    "schedule_preview",
    "schedule_create",
    "schedule_control",
    "trigger_list",
    "trigger_test",
    "trigger_create",
    "task_list",
    "task_accept",
    "task_complete",
    "memory_remember",
    "memory_recall",
    "command_record",
    "command_forget",
    "workflow_predict",
    "workflow_failures",
    "workflow_tuning",
    "workflow_insights",
    "workflow_proposals",
    "workflow_suggest",
    "workflow_autocomplete",
    "workflow_feedback",
}
ECHO = {"id": "echo", "command": "noop", "parameters": {"echo": "${{ params.who }}"}}
PAUSE = {"id": "pause", "command": "wait", "parameters": {"seconds": 1}, "depends_on": ["echo"]}
LONG = {"id": "long", "command": "shell", "parameters": {"argv": ["sleep", "60"]}}


async def created(client: Client, *steps: dict[str, Any], **more: Any) -> str:
    """The id of a new template."""
    template_id = f"mcp_{secrets.token_hex(4)}"
    definition = {"id": template_id, "name": template_id, "steps": list(steps), **more}
    stored = await called(client, "workflow_create", definition=definition)
    assert stored["outcome"] == "created"
    return template_id


async def test_tools_are_described(connect: Connect) -> None:
    """Each has a description, and schemas of what it takes and gives."""
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == TOOLS
        for tool in tools.values():
            assert tool.description
            assert tool.input_schema["type"] == "object"
            assert tool.output_schema is not None
            assert tool.output_schema["type"] == "object"
        assert tools["workflow_list"].annotations is not None
        assert tools["workflow_list"].annotations.read_only_hint
        properties = tools["workflow_execute"].input_schema["properties"]
        assert {"template_id", "parameters", "wait_s", "idempotency_key"} <= set(properties)
        assert client.server_info is not None
        assert client.server_info.name == "haivemind-workflows"


async def test_a_workflow_from_its_definition_to_its_end(connect: Connect) -> None:
    """Create, list, run with progress, look at the result and the history."""
    reports: list[tuple[float, float | None, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))

    async with connect() as client:
        name = await created(
            client,
            ECHO,
            PAUSE,
            parameters={"who": {"type": "string"}},
            outputs={"said": "${{ steps.echo.output.echo }}"},
        )
        listed = await called(client, "workflow_list", text=name)
        assert [item["id"] for item in listed["items"]] == [name]
        arguments = {"template_id": name, "parameters": {"who": "bee"}, "wait_s": 60}
        result = await client.call_tool("workflow_execute", arguments, progress_callback=report)
        assert not result.is_error, result.content
        accepted = result.structured_content
        execution = accepted["execution"]
        assert (execution["status"], execution["outputs"]) == ("completed", {"said": "bee"})
        assert "pause" in " ".join(message or "" for _, _, message in reports)
        assert all(a[0] < b[0] for a, b in itertools.pairwise(reports)), "it only ever goes on"
        assert list(reports[-1]) == [2, 2, "completed"]
        execution_id = accepted["execution_id"]
        shown = await called(client, "workflow_status", execution_id=execution_id)
        assert shown == execution
        why = await called(client, "workflow_explain", execution_id=execution_id)
        assert [one["cause"] for one in why["findings"]] == ["ended"]
        events = (await called(client, "workflow_history", execution_id=execution_id))["events"]
        assert events["items"][-1]["type"] == "execution.completed"
        past = await called(client, "workflow_history", template_id=name, status=["completed"])
        assert [item["id"] for item in past["executions"]] == [execution_id]


async def test_an_idempotency_key_runs_once(connect: Connect) -> None:
    """The same key and arguments again give the same execution."""
    async with connect() as client:
        name = await created(client, {"id": "one", "command": "noop"})
        arguments = {"template_id": name, "idempotency_key": secrets.token_hex(4)}
        first = await called(client, "workflow_execute", **arguments)
        again = await called(client, "workflow_execute", **arguments)
        assert first["execution_id"] == again["execution_id"]
        assert (first["replayed"], again["replayed"]) == (False, True)


async def test_approval_and_cancellation(connect: Connect) -> None:
    """An execution that awaits approval runs after it, and is stopped when it is cancelled."""
    async with connect() as client:
        name = await created(client, LONG, policies={"approval_required": True})
        accepted = await called(client, "workflow_execute", template_id=name)
        execution_id = accepted["execution_id"]
        await reach(client, execution_id, "waiting")
        (shown,) = (await called(client, "workflow_approvals", execution_id=execution_id))["items"]
        assert (shown["gate"], shown["subject"]["steps"][0]["command"]) == ("workflow", "shell")
        (inbox,) = (await client.read_resource("hive://approvals")).contents
        assert shown["subject_hash"] in inbox.model_dump_json()
        listed = await called(client, "workflow_approvals")
        assert execution_id in [item["execution_id"] for item in listed["items"]]
        approved = await called(
            client,
            "workflow_approve",
            execution_id=execution_id,
            decision="approve",
            comment="go",
            subject_hash=shown["subject_hash"],
        )
        assert approved["request"] == "approve"
        await reach(client, execution_id, "running")
        await called(client, "workflow_cancel", execution_id=execution_id, reason="enough")
        view = await called(client, "workflow_status", execution_id=execution_id, wait_s=30)
        assert (view["status"], view["stop_reason"]) == ("cancelled", "enough")
        text, error = await refused(client, "workflow_cancel", execution_id=execution_id)
        assert error["status"] == 409
        assert "has ended" in text


async def test_a_task_for_an_agent(connect: Connect, served: Served) -> None:
    """A workflow delegates, the agent accepts and completes, and the workflow goes on."""
    name = f"bee-{secrets.token_hex(4)}"
    capability = f"cap_{secrets.token_hex(4)}"
    registered = await served.world.client.post(
        "/api/v1/agents/participants",
        json={"name": name, "kind": "ai", "capabilities": [capability]},
    )
    assert registered.status_code == 201, registered.text
    ask = {
        "id": "ask",
        "command": "hv-delegate",
        "parameters": {"task": "count the bees", "required_capabilities": [capability]},
    }
    async with connect(await served.key_of("agent", name)) as agent, served.http() as operator:
        template = await created(operator, ask)
        accepted = await called(operator, "workflow_execute", template_id=template)
        task = await first_task(agent)
        task_id = task["id"]
        assert task["task"] == "count the bees"
        assert (await called(agent, "task_accept", task_id=task_id))["status"] == "accepted"
        done = await called(agent, "task_complete", task_id=task_id, result={"bees": 7})
        assert (done["status"], done["result"]) == ("completed", {"bees": 7})
        view = await called(
            operator, "workflow_status", execution_id=accepted["execution_id"], wait_s=30
        )
        assert view["status"] == "completed", view
        _, error = await refused(agent, "task_complete", task_id=task_id, outcome="declined")
        assert error["status"] == 409


async def test_memories(connect: Connect) -> None:
    """What one agent remembers, another recalls."""
    word = f"nectar{secrets.token_hex(4)}"
    async with connect() as client:
        kept = await called(client, "memory_remember", content=f"There is {word}.", tags=["food"])
        found = await called(client, "memory_recall", text=word)
        assert [item["memory"]["id"] for item in found["items"]] == [kept["id"]]


async def test_recorded_commands(connect: Connect) -> None:
    """What an agent ran enters the record as an agent's; its secrets are out before the gateway
    sees them."""
    async with connect() as client:
        told = [{"command": "mysql -pS3cr3t! x", "exit": 1}, {"command": "ls"}]
        answer = await called(client, "command_record", commands=told)
        assert (answer["recorded"], answer["masked"]) == (2, 0)
        text, _ = await refused(client, "command_record", commands=[{"command": " "}])
        assert "commands/0/command" in text
        gone = await called(client, "command_forget", command="mysql -pS3cr3t! x")
        assert gone["command"] == "mysql -p*** x"
        for wrong in ({}, {"command": "ls", "confirm": True}, {"matching": "*"}, {"user": "bob"}):
            await refused(client, "command_forget", **wrong)


async def test_resources(connect: Connect) -> None:
    """Templates and executions are documents with an address."""
    async with connect() as client:
        name = await created(client, {"id": "one", "command": "noop"}, version="1.2.0")
        accepted = await called(client, "workflow_execute", template_id=name, wait_s=30)
        execution_id = accepted["execution_id"]
        uris = {resource.uri for resource in (await client.list_resources()).resources}
        assert {f"hive://templates/{name}", f"hive://executions/{execution_id}"} <= uris
        templates = (await client.list_resource_templates()).resource_templates
        assert len(templates) == 2
        document = await read(client, f"hive://templates/{name}?version=1.2.0")
        assert document["definition"]["id"] == name
        assert (await read(client, f"hive://executions/{execution_id}"))["status"] == "completed"
        for uri in (
            "hive://templates/nothing",
            "hive://executions/ex_none",
            "hive://x",
            "file:///x",
        ):
            with pytest.raises(MCPError, match="There is no"):
                await client.read_resource(uri)


async def test_targets_before_and_after(served: Served) -> None:
    """Whom a fleet would run on now, and what became of each target of one that ran."""
    async with served.http() as client:
        target = {"where": "agent.name != 'nobody'", "allow_empty": True}
        name = await created(client, {"id": "all", "command": "noop", "target": target})
        shown = await called(client, "workflow_targets", template_id=name)
        assert [fleet["step"] for fleet in shown["now"]["items"]] == ["all"]
        ran = await called(client, "workflow_execute", template_id=name, wait_s=30)
        shown = await called(client, "workflow_targets", execution_id=ran["execution_id"])
        [fleet] = shown["became"]["items"]
        assert len(fleet["targets"]) == fleet["completed"] == fleet["total"]
        text, _ = await refused(client, "workflow_targets", where="true", template_id=name)
        assert "give one of" in text


async def test_errors_say_what_to_do(connect: Connect) -> None:
    """Errors of tools name field and remedy, whoever found them."""
    async with connect() as client:
        text, error = await refused(client, "workflow_execute", parameters={})
        assert error["errors"][0]["field"] == "template_id"
        assert "add template_id" in text
        text, error = await refused(client, "workflow_execute", template_id="x", wait=1)
        assert "remove wait" in text
        text, error = await refused(client, "workflow_execute", template_id="nothing")
        assert error["status"] == 404
        bad = {"id": "bad", "name": "bad", "steps": [{"id": "a", "command": "no-such-command"}]}
        text, error = await refused(client, "workflow_create", definition=bad)
        assert error["type"].endswith("invalid-definition")
        assert error["errors"][0]["field"].startswith("steps/0")
        assert error["errors"][0]["fix"]
        with pytest.raises(MCPError, match="There is no tool"):
            await client.call_tool("workflow_dance", {})


async def test_roles_are_respected(connect: Connect, served: Served) -> None:
    """A tool can do what its caller's key may do, and says which roles may do more."""
    async with served.http() as admin:
        name = await created(admin, {"id": "one", "command": "noop"})
    async with connect(await served.key_of("viewer", f"viewer-{secrets.token_hex(4)}")) as viewer:
        assert (await called(viewer, "workflow_list"))["items"]
        text, error = await refused(viewer, "workflow_execute", template_id=name)
        assert error["status"] == 403
        assert "operator" in text


READS = {
    "workflow_list",
    "workflow_analytics",
    "workflow_status",
    "workflow_explain",
    "workflow_history",
    "workflow_targets",
    "workflow_approvals",
    "schedule_list",
    "schedule_preview",
    "trigger_list",
    "trigger_test",
    "task_list",
    "memory_recall",
    "workflow_validate",
    "workflow_predict",
    "workflow_failures",
    "workflow_insights",
    "workflow_suggest",
    "workflow_autocomplete",
}
AGENTS = {
    "workflow_feedback",
    "task_accept",
    "task_complete",
    "memory_remember",
    "command_record",
    "command_forget",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "workflow_feedback": {
        "suggestion_id": "sgt_1",
        "verdict": "dismissed",
        "suggested": "no_such_template",
    },
    "workflow_create": {"definition": {"id": "t", "name": "t", "steps": [ECHO]}},
    "workflow_validate": {"definition": {"id": "t", "name": "t", "steps": [ECHO]}},
    "workflow_execute": {"template_id": "no_such_template"},
    "workflow_status": {"execution_id": "ex_none"},
    "workflow_cancel": {"execution_id": "ex_none"},
    "workflow_targets": {"where": "true"},
    "workflow_control": {"execution_id": "ex_none", "action": "pause"},
    "workflow_rerun": {"execution_id": "ex_none"},
    "workflow_rollback": {"execution_id": "ex_none", "action": "request"},
    "workflow_predict": {"template_id": "no_such_template"},
    "workflow_tuning": {"action": "apply", "id": "none"},
    "workflow_proposals": {"action": "reject", "id": "none"},
    "workflow_failures": {"message": "out of cheese"},
    "workflow_bulk": {"action": "cancel", "filter": {"label": "no=where"}},
    "workflow_approve": {"execution_id": "ex_none", "decision": "approve"},
    "schedule_preview": {"timetable": {"every_s": 60}},
    "schedule_create": {
        "definition": {"name": "s", "template_id": "none", "timetable": {"every_s": 60}}
    },
    "schedule_control": {"schedule_id": "sc_none", "action": "pause"},
    "trigger_test": {"rule_id": "tr_none"},
    "trigger_create": {
        "definition": {"name": "r", "template_id": "none", "receiver": "executions"}
    },
    "task_accept": {"task_id": "dl_none"},
    "task_complete": {"task_id": "dl_none"},
    "memory_remember": {"content": "allowed"},
    "command_record": {"commands": [{"command": "ls"}]},
    "command_forget": {"command": "ls"},
}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("viewer", READS), ("agent", READS | AGENTS), ("operator", TOOLS), ("admin", TOOLS)],
)
async def test_every_tool_asks_for_the_right_role(
    served: Served, role: str, allowed: set[str]
) -> None:
    """What a role may not do over REST it may not do by a tool either, and nothing else is kept
    from it."""
    key = await served.key_of(role, f"{role}-{secrets.token_hex(4)}")
    async with served.http(key) as client:
        for tool in sorted(TOOLS):
            result = await client.call_tool(tool, ARGUMENTS.get(tool, {}))
            error = (result.structured_content or {}).get("error", {}) if result.is_error else {}
            assert (error.get("status") != 403) == (tool in allowed), (tool, result)


async def test_operators_intervene(served: Served) -> None:
    """A breakpoint, a step marked by hand, a resumption, a re-run and a bulk request."""
    async with served.http() as client:
        long = {**LONG, "depends_on": ["echo"], "retry": {"max_attempts": 2, "delay_s": 600}}
        who = {"who": {"type": "string"}}
        name = await created(client, ECHO, long, parameters=who)
        given = {"template_id": name, "parameters": {"who": "you"}, "pause_before": ["long"]}
        execution = (await called(client, "workflow_execute", **given))["execution_id"]

        async def control(action: str, **more: Any) -> None:
            asked = {"execution_id": execution, "action": action, "reason": "seen", **more}
            await called(client, "workflow_control", **asked)

        async with asyncio.timeout(20):
            while True:
                view = await called(client, "workflow_status", execution_id=execution)
                if view["status"] == "paused":
                    break
        assert view["pause"]["step"] == "long"
        text, _ = await refused(
            client, "workflow_control", execution_id=execution, action="run_now", step="long"
        )
        assert "waits for no delay" in text
        text, _ = await refused(
            client, "workflow_control", execution_id=execution, action="mark", step="long"
        )
        assert "needs verdict" in text
        text, _ = await refused(
            client, "workflow_control", execution_id=execution, action="pause", step="long"
        )
        assert "takes no step" in text
        await control("set_breakpoints", clear=["long"])
        await control("mark", step="long", verdict="failed")
        ended = await called(client, "workflow_status", execution_id=execution, wait_s=20)
        assert ended["status"] == "failed"
        dry = {"action": "rerun", "filter": {"template": name}, "rerun": {"failed_only": True}}
        shown = await called(client, "workflow_bulk", **dry)
        assert shown["counts"] == {"would_apply": 1}
        again = await called(
            client,
            "workflow_rerun",
            execution_id=execution,
            failed_only=True,
            pause_before=["long"],
            idempotency_key=secrets.token_hex(8),
        )
        assert (again["kept"], again["again"]) == (["echo"], {"long": "it failed"})
        await called(client, "workflow_cancel", execution_id=again["execution_id"])


async def test_what_would_be_ignored_is_refused(served: Served) -> None:
    """The history of one execution takes no filters of many, and the other way round."""
    async with served.http() as client:
        text, _ = await refused(
            client, "workflow_history", execution_id="ex_none", status=["failed"]
        )
        assert "leave out: status" in text
        text, _ = await refused(client, "workflow_history", after=3)
        assert "cursor" in text


async def test_lists_go_on_page_by_page(served: Served) -> None:
    """Templates, executions, and resources give a cursor for what follows."""
    async with served.http() as client:
        for _ in range(3):
            await created(client, {"id": "one", "command": "noop"}, category="paged")
        first = await called(client, "workflow_list", category="paged", limit=2)
        rest = await called(
            client, "workflow_list", category="paged", limit=2, cursor=first["next_cursor"]
        )
        ids = [item["id"] for item in first["items"] + rest["items"]]
        assert len(ids) == len(set(ids)) == 3
        page = await client.list_resources(cursor=first["next_cursor"])
        uris = [str(resource.uri) for resource in page.resources]
        assert uris
        assert all(uri > f"hive://templates/{first['next_cursor']}" for uri in uris)


async def test_inputs_and_outputs_are_described_by_the_models(served: Served) -> None:
    """The schemas of the tools are those of the contracts, so that they cannot drift."""
    async with served.http() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    status = tools["workflow_status"].output_schema
    assert status == ExecutionView.model_json_schema(mode="serialization")
    definition = tools["workflow_create"].input_schema["$defs"]["Template"]
    assert set(definition["properties"]) == set(Template.model_json_schema()["properties"])
    assert tools["memory_recall"].input_schema == MemoryQuery.model_json_schema()


async def first_task(agent: Client) -> dict[str, Any]:
    """Wait until an agent has been given a task."""
    while True:
        items: list[dict[str, Any]] = (await called(agent, "task_list"))["items"]
        if items:
            return items[0]
        await asyncio.sleep(0.05)


async def reach(client: Client, execution_id: str, status: str) -> None:
    """Wait until an execution has a status."""
    while True:
        view = await called(client, "workflow_status", execution_id=execution_id)
        if view["status"] == status:
            return
        await asyncio.sleep(0.05)


async def read(client: Client, uri: str) -> dict[str, Any]:
    """A resource, as JSON."""
    (content,) = (await client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    found: dict[str, Any] = json.loads(content.text)  # type: ignore[union-attr]
    return found
