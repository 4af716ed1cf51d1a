"""The tools, in one table: name, arguments, answer, and what each does with the gateway's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from shared.contracts.api.approvals import ApprovalPage, ExecutionApprovals
from shared.contracts.api.collective import DelegationPage, NewMemory, RecalledMemories
from shared.contracts.api.executions import (
    ExecutionAccepted,
    ExecutionEvents,
    ExecutionPage,
    ExecutionView,
    RequestAccepted,
)
from shared.contracts.api.explain import ExplanationView
from shared.contracts.api.operating import BulkAnswer, RerunAnswer
from shared.contracts.api.schedules import (
    Preview,
    PreviewRequest,
    ScheduleList,
    ScheduleView,
)
from shared.contracts.api.targets import ExecutionTargets, TargetsPreview
from shared.contracts.api.templates import TemplatePage, TemplateStored
from shared.contracts.api.triggers import RuleList, RuleTestResult, RuleView
from shared.contracts.api.validation import ValidationReport
from shared.contracts.collective import Memory, MemoryQuery
from shared.contracts.delegations import Delegation
from shared.mcp import (
    analytics,
    outcomes,
    proposals,
    recording,
    rollbacks,
    schedules,
    suggestions,
    triggers,
    validation,
)
from shared.mcp import arguments as a
from shared.mcp.api import GatewayApi, segment
from shared.mcp.tool import Tool
from shared.mcp.waiting import Report, wait_for_end

WORKFLOWS: Final = "/api/v1/workflows"
APPROVALS: Final = "/api/v1/approvals"
TARGETS: Final = "/api/v1/targets"
DELEGATIONS: Final = "/api/v1/delegations"
MEMORIES: Final = "/api/v1/memories"


async def _list(api: GatewayApi, given: a.ListWorkflows, _report: Report) -> TemplatePage:
    return await api.get(f"{WORKFLOWS}/templates", TemplatePage, given.model_dump())


async def _create(api: GatewayApi, given: a.CreateWorkflow, _report: Report) -> TemplateStored:
    body = given.definition.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return await api.post(f"{WORKFLOWS}/templates", TemplateStored, body)


async def _execute(api: GatewayApi, given: a.ExecuteWorkflow, report: Report) -> ExecutionAccepted:
    body = given.model_dump(mode="json", exclude={"wait_s", "idempotency_key"}, exclude_none=True)
    key = given.idempotency_key
    accepted = await api.post(
        f"{WORKFLOWS}/execute",
        ExecutionAccepted,
        body,
        headers={"Idempotency-Key": key} if key else None,
    )
    if not given.wait_s:
        return accepted
    view = await wait_for_end(api, accepted.execution_id, given.wait_s, report)
    return accepted.model_copy(update={"execution": view})


async def _status(api: GatewayApi, given: a.ShowExecution, report: Report) -> ExecutionView:
    path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}"
    view = await api.get(path, ExecutionView)
    if view.ended or not given.wait_s:
        return view
    return await wait_for_end(api, given.execution_id, given.wait_s, report) or view


async def _explain(api: GatewayApi, given: a.ExplainExecution, _report: Report) -> ExplanationView:
    path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/explain"
    return await api.get(path, ExplanationView)


async def _cancel(api: GatewayApi, given: a.CancelExecution, _report: Report) -> RequestAccepted:
    path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/cancel"
    return await api.post(path, RequestAccepted, {"reason": given.reason})


async def _control(api: GatewayApi, given: a.ControlExecution, _report: Report) -> RequestAccepted:
    path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/{given.path}"
    return await api.post(path, RequestAccepted, given.body)


async def _rerun(api: GatewayApi, given: a.RerunExecution, _report: Report) -> RerunAnswer:
    path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/rerun"
    left_out = {"execution_id", "idempotency_key"}
    body = given.model_dump(mode="json", exclude=left_out, exclude_none=True)
    key = given.idempotency_key
    return await api.post(
        path, RerunAnswer, body, headers={"Idempotency-Key": key} if key else None
    )


async def _bulk(api: GatewayApi, given: a.BulkControl, _report: Report) -> BulkAnswer:
    body = given.model_dump(mode="json", exclude_unset=True)
    return await api.post(f"{WORKFLOWS}/executions/bulk", BulkAnswer, body)


async def _history(api: GatewayApi, given: a.ShowHistory, _report: Report) -> a.History:
    if given.execution_id is not None:
        path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/events"
        position = {"after": given.after, "limit": given.limit}
        return a.History(events=await api.get(path, ExecutionEvents, position))
    query = {
        "template": given.template_id,
        "category": given.category,
        "status": [status.value for status in given.status],
        "cursor": given.cursor,
        "limit": given.limit,
    }
    page = await api.get(f"{WORKFLOWS}/executions", ExecutionPage, query)
    return a.History(executions=page.items, next_cursor=page.next_cursor)


async def _targets(api: GatewayApi, given: a.ShowTargets, _report: Report) -> a.TargetsShown:
    if given.execution_id is not None:
        path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/targets"
        query = {"step": given.step, "status": [status.value for status in given.status]}
        return a.TargetsShown(became=await api.get(path, ExecutionTargets, query))
    query = {
        "template": given.template_id,
        "version": given.version,
        "where": given.where,
        "step": given.step,
        "parameters": json.dumps(given.parameters),
    }
    return a.TargetsShown(now=await api.get(TARGETS, TargetsPreview, query))


async def _approve(api: GatewayApi, given: a.AnswerApproval, _report: Report) -> RequestAccepted:
    path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/{given.decision}"
    body = given.model_dump(mode="json", exclude={"execution_id", "decision"}, exclude_none=True)
    return await api.post(path, RequestAccepted, body)


async def _approvals(api: GatewayApi, given: a.ListApprovals, _report: Report) -> ApprovalPage:
    if given.execution_id is not None:
        path = f"{WORKFLOWS}/executions/{segment(given.execution_id)}/approvals"
        return ApprovalPage(items=(await api.get(path, ExecutionApprovals)).items)
    query = given.model_dump(exclude={"execution_id"})
    return await api.get(APPROVALS, ApprovalPage, query)


async def _tasks(api: GatewayApi, given: a.ListTasks, _report: Report) -> DelegationPage:
    query = {
        "assignee": given.assignee,
        "status": [status.value for status in given.status],
        "execution": given.execution_id,
        "cursor": given.cursor,
        "limit": given.limit,
    }
    return await api.get(DELEGATIONS, DelegationPage, query)


async def _accept(api: GatewayApi, given: a.AcceptTask, _report: Report) -> Delegation:
    path = f"{DELEGATIONS}/{segment(given.task_id)}/accept"
    return await api.post(path, Delegation, {}, query={"participant": given.participant})


async def _complete(api: GatewayApi, given: a.CompleteTask, _report: Report) -> Delegation:
    done = given.outcome == "completed"
    verb, body = ("complete", {"result": given.result}) if done else _declined(given.reason)
    path = f"{DELEGATIONS}/{segment(given.task_id)}/{verb}"
    return await api.post(path, Delegation, body, query={"participant": given.participant})


def _declined(reason: str) -> tuple[str, dict[str, Any]]:
    return "decline", {"reason": reason}


async def _remember(api: GatewayApi, given: NewMemory, _report: Report) -> Memory:
    return await api.post(MEMORIES, Memory, given.model_dump(mode="json", exclude_none=True))


async def _recall(api: GatewayApi, given: MemoryQuery, _report: Report) -> RecalledMemories:
    return await api.get(MEMORIES, RecalledMemories, given.model_dump(mode="json"))


TABLE: Final[tuple[Tool[Any, Any], ...]] = (
    Tool(
        "workflow_list",
        "List workflows",
        "Lists the workflow templates that can be run, the newest version of each. Read "
        "hive://templates/{id} for the parameters and steps of one.",
        a.ListWorkflows,
        TemplatePage,
        _list,
        reads_only=True,
    ),
    Tool(
        "workflow_create",
        "Create a workflow",
        "Checks a workflow definition and stores it as a new, immutable version. Everything that "
        "is wrong with it is answered at once, by field.",
        a.CreateWorkflow,
        TemplateStored,
        _create,
        idempotent=True,
    ),
    Tool(
        "workflow_validate",
        "Validate a workflow",
        "Looks at a definition, or at a run of a stored template, before anything is stored or "
        "run: what is wrong, where, why it matters, and a JSON Patch where a machine can mend it.",
        validation.ValidateWorkflow,
        ValidationReport,
        validation.validate,
        reads_only=True,
    ),
    Tool(
        "workflow_execute",
        "Run a workflow",
        "Runs a workflow template on the agents, durably: once accepted it reaches an end. With "
        "`wait_s` the answer holds the execution as it is then, and progress is reported while it "
        "runs. If the call is given up, the execution goes on.",
        a.ExecuteWorkflow,
        ExecutionAccepted,
        _execute,
        destructive=True,
    ),
    Tool(
        "workflow_status",
        "Show an execution",
        "Shows status, steps, attempts, timings and outputs of one execution. With `wait_s` it "
        "waits for the end, and reports progress.",
        a.ShowExecution,
        ExecutionView,
        _status,
        reads_only=True,
    ),
    Tool(
        "workflow_explain",
        "Explain an execution",
        "Says why an execution waits, fails or is stuck: which agent, approval, timer, lock, "
        "signal or sub-workflow it waits for, since when, what normally happens, and one safe "
        "command.",
        a.ExplainExecution,
        ExplanationView,
        _explain,
        reads_only=True,
    ),
    Tool(
        "workflow_cancel",
        "Cancel an execution",
        "Stops an execution; what runs is stopped with proof. The answer says that the request is "
        "in; `workflow_status` shows what came of it.",
        a.CancelExecution,
        RequestAccepted,
        _cancel,
        destructive=True,
        idempotent=True,
    ),
    Tool(
        "workflow_control",
        "Intervene in an execution",
        "Does one thing to an execution that runs: pause, resume, set_breakpoints (pause before "
        "steps), mark (say that a step is done or failed), run_now (end a step's wait), or "
        "resolve (say what became of a lost step). Give a reason: it stands in the history.",
        a.ControlExecution,
        RequestAccepted,
        _control,
        destructive=True,
    ),
    Tool(
        "workflow_rerun",
        "Run an execution again",
        "Runs an ended execution again, as a new one: from a step on, or only what failed and "
        "was not started, with earlier outputs and approvals kept. With `dry_run` it says what "
        "would be kept, and why the rest runs again.",
        a.RerunExecution,
        RerunAnswer,
        _rerun,
        destructive=True,
    ),
    Tool(
        "workflow_rollback",
        "Roll an execution back",
        rollbacks.DESCRIPTION,
        rollbacks.RollBack,
        rollbacks.RolledBack,
        rollbacks.roll_back,
        destructive=True,
    ),
    Tool(
        "workflow_bulk",
        "Do the same to many executions",
        "Cancels, pauses, resumes, marks, runs now, resolves or re-runs every execution that fits "
        "a filter. Unless `dry_run` is false it only lists what would be touched.",
        a.BulkControl,
        BulkAnswer,
        _bulk,
        destructive=True,
    ),
    Tool(
        "workflow_history",
        "Show history",
        "Lists past executions, newest first; with `execution_id` the events of that one, in "
        "order.",
        a.ShowHistory,
        a.History,
        _history,
        reads_only=True,
    ),
    Tool(
        "workflow_targets",
        "Show targets",
        "Tells which live agents a template's fleets, or a selector, would match right now, and "
        "why the others do not; with `execution_id` what became of each target of that execution.",
        a.ShowTargets,
        a.TargetsShown,
        _targets,
        reads_only=True,
    ),
    Tool(
        "workflow_approvals",
        "List approvals",
        "Lists what waits for your approval, with the commands, parameters and targets that would "
        "run, their predicted effects, and the `subject_hash` that an approval names; with "
        "`execution_id` every gate of that execution and who answered what.",
        a.ListApprovals,
        ApprovalPage,
        _approvals,
        reads_only=True,
    ),
    Tool(
        "workflow_approve",
        "Approve or reject",
        "Answers a gate that an execution waits at: approved, what is behind it runs; rejected, "
        "it does not. Read workflow_approvals first: an approval names the `subject_hash` of "
        "exactly what would run, and counts for nothing else.",
        a.AnswerApproval,
        RequestAccepted,
        _approve,
        destructive=True,
    ),
    Tool(
        "schedule_list",
        "List schedules",
        "Lists what runs at times: when each schedule runs next, and what became of its last "
        "moments, with reasons.",
        schedules.ListSchedules,
        ScheduleList,
        schedules.listed,
        reads_only=True,
    ),
    Tool(
        "schedule_preview",
        "Preview a timetable",
        "Shows when something would run by a cron expression, at an interval or once, without "
        "making it.",
        PreviewRequest,
        Preview,
        schedules.preview,
        reads_only=True,
    ),
    Tool(
        "schedule_create",
        "Create a schedule",
        "Has a workflow template run at times, durably and each time once. Preview the timetable "
        "first.",
        schedules.CreateSchedule,
        ScheduleView,
        schedules.create,
        destructive=True,
    ),
    Tool(
        "schedule_control",
        "Pause or resume a schedule",
        "Pauses a schedule, so that nothing is started until it is resumed; what runs goes on.",
        schedules.ControlSchedule,
        ScheduleView,
        schedules.control,
        idempotent=True,
    ),
    Tool(
        "trigger_list",
        "List rules",
        "Lists the rules by which events start workflows, with what they counted and what became "
        "of their last events: started, deduplicated, throttled, looped, failed.",
        triggers.ListRules,
        RuleList,
        triggers.listed,
        reads_only=True,
    ),
    Tool(
        "trigger_test",
        "Try a rule out",
        "Shows what a rule, stored or not, would make of an event. Nothing is started or kept.",
        triggers.TestRule,
        RuleTestResult,
        triggers.test,
        reads_only=True,
    ),
    Tool(
        "trigger_create",
        "Create a rule",
        "Has events start a workflow template: of a receiver, or our own (`executions`). Try the "
        "rule out first with trigger_test.",
        triggers.CreateRule,
        RuleView,
        triggers.create,
        destructive=True,
    ),
    Tool(
        "task_list",
        "List my tasks",
        "Lists delegated tasks, newest first: by default those that were offered to you.",
        a.ListTasks,
        DelegationPage,
        _tasks,
        reads_only=True,
    ),
    Tool(
        "task_accept",
        "Accept a task",
        "Says that you will do a task that was offered to you.",
        a.AcceptTask,
        Delegation,
        _accept,
        idempotent=True,
    ),
    Tool(
        "task_complete",
        "Complete or decline a task",
        "Says that you have done a task, with its result, so that the waiting workflow goes on; "
        "or, with `outcome: declined`, that you will not, and it goes to the next who fits.",
        a.CompleteTask,
        Delegation,
        _complete,
        idempotent=True,
    ),
    Tool(
        "memory_remember",
        "Remember",
        "Keeps something worth knowing later, for every agent and person of the hive.",
        NewMemory,
        Memory,
        _remember,
    ),
    Tool(
        "memory_recall",
        "Recall",
        "Finds what was remembered, best first: by words, tags, category and how recent it is.",
        MemoryQuery,
        RecalledMemories,
        _recall,
        reads_only=True,
    ),
    *recording.TABLE,
    *analytics.TABLE,
    *suggestions.TABLE,
    *outcomes.TOOLS,
    *proposals.TOOLS,
)

TOOLS: Final[Mapping[str, Tool[Any, Any]]] = {tool.name: tool for tool in TABLE}
