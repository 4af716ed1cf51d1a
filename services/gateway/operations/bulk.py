"""Bulk: the same request to every execution that fits a filter.

* Each is asked as if it were asked for alone: the same checks, the same message, the same words
  where it does not apply; one that does not stops no other.
* A dry run asks over a journal that keeps nothing, so that it says what would come of each.
* It is bounded, and tells when more would fit. Each execution that was touched is in the audit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from services.gateway import problems
from services.gateway.audit import Audit
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.operating import Operating
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.operations.requests import ExecutionRequests
from services.gateway.operations.reruns import Reruns
from services.gateway.operations.templates import TemplateOperations
from services.gateway.operations.validating import Validating
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.executions import ExecutionSummary, ResolveBody
from shared.contracts.api.operating import (
    BulkAnswer,
    BulkBody,
    BulkFilter,
    BulkItem,
    MarkBody,
    RerunBody,
)
from shared.ports.executions import ExecutionQuery
from shared.workflow.messages import JournalMessage

AT_ONCE: Final = 8
"""Executions that are asked at the same time."""

Result = Literal["would_apply", "accepted", "not_applicable", "failed"]


class ForgetfulJournal:
    """A journal that takes everything and keeps nothing."""

    async def append(self, _execution_id: str, _message: JournalMessage, _message_id: str) -> bool:
        """Forget it."""
        return True


@dataclass(frozen=True, slots=True)
class Doing:
    """What can be done to an execution."""

    requests: ExecutionRequests
    operating: Operating
    reruns: Reruns

    @classmethod
    def of(
        cls,
        parts: Parts,
        executions: ExecutionOperations,
        templates: TemplateOperations,
        validating: Validating,
        programs: GatewayPrograms,
    ) -> Doing:
        """Put it together."""
        return cls(
            ExecutionRequests(parts, executions),
            Operating(parts, executions, programs),
            Reruns(parts, executions, templates, validating, programs),
        )


class Bulk:
    """Bulk requests."""

    def __init__(
        self,
        parts: Parts,
        executions: ExecutionOperations,
        templates: TemplateOperations,
        validating: Validating,
        programs: GatewayPrograms,
        audit: Audit,
    ) -> None:
        self._parts = parts
        self._audit = audit
        forgetful = replace(parts, journal=ForgetfulJournal())
        self._really = Doing.of(parts, executions, templates, validating, programs)
        self._dryly = Doing.of(forgetful, executions, templates, validating, programs)

    async def run(self, body: BulkBody, principal: Principal) -> BulkAnswer:
        """Ask every execution that fits, or say what would come of it."""
        query = _query(body.filter, body.limit + 1)
        found = list(await self._parts.executions.find(query))
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(summary: ExecutionSummary) -> BulkItem:
            async with turn:
                return await self._one(summary, body, principal)

        items = await asyncio.gather(*(one(summary) for summary in found[: body.limit]))
        return BulkAnswer(
            action=body.action,
            dry_run=body.dry_run,
            items=tuple(items),
            counts=dict(Counter(item.result for item in items)),
            more=len(found) > body.limit,
        )

    async def _one(
        self, summary: ExecutionSummary, body: BulkBody, principal: Principal
    ) -> BulkItem:
        doing = self._dryly if body.dry_run else self._really
        result: Result = "would_apply" if body.dry_run else "accepted"
        new, detail = None, ""
        try:
            new = await _ACTIONS[body.action](doing, summary.id, body, principal)
        except problems.ProblemError as error:
            unavailable = error.details.status >= 500
            result = "failed" if unavailable else "not_applicable"
            detail = error.details.detail
        except Exception as error:
            server = self._parts.outage_of(error)
            if server is None:
                raise
            result, detail = "failed", problems.unavailable(server).details.detail
        if result == "accepted":
            await self._audit.record(
                principal, f"bulk_{body.action}", summary.id, result, reason=body.reason
            )
        return BulkItem(
            execution_id=summary.id,
            template_id=summary.template_id,
            status=summary.status,
            result=result,
            detail=detail,
            new_execution_id=new,
        )


def _query(wanted: BulkFilter, limit: int) -> ExecutionQuery:
    name, _, value = (wanted.label or "").partition("=")
    return ExecutionQuery(
        statuses=tuple(status.value for status in wanted.status),
        template_id=wanted.template,
        category=wanted.category,
        requested_by=wanted.requested_by,
        label=(name, value) if wanted.label else None,
        since_ms=wanted.since,
        until_ms=wanted.until,
        limit=limit,
    )


Action = Callable[[Doing, str, BulkBody, Principal], Awaitable[str | None]]


async def _cancel(doing: Doing, execution: str, body: BulkBody, who: Principal) -> None:
    await doing.requests.cancel(execution, body.reason, who, force=body.force)


async def _pause(doing: Doing, execution: str, body: BulkBody, who: Principal) -> None:
    await doing.requests.pause(execution, body.reason, who)


async def _resume(doing: Doing, execution: str, body: BulkBody, who: Principal) -> None:
    await doing.requests.resume(execution, body.reason, who)


async def _run_now(doing: Doing, execution: str, body: BulkBody, who: Principal) -> None:
    if body.step is None:
        await doing.operating.run_all_now(execution, body.reason, who)
    else:
        await doing.operating.run_now(execution, body.step, body.reason, who)


async def _mark(doing: Doing, execution: str, body: BulkBody, who: Principal) -> None:
    wanted = {"verdict": body.verdict, "reason": body.reason, "output": body.output}
    mark = MarkBody.model_validate(wanted)
    await doing.operating.mark(execution, body.step or "", mark, who)


async def _resolve(doing: Doing, execution: str, body: BulkBody, who: Principal) -> None:
    wanted = {"verdict": body.verdict, "reason": body.reason, "output": body.output}
    verdict = ResolveBody.model_validate(wanted)
    if body.step is None:
        await doing.requests.resolve_all(execution, verdict, who)
    else:
        await doing.requests.resolve(execution, body.step, verdict, who)


async def _rerun(doing: Doing, execution: str, body: BulkBody, who: Principal) -> str | None:
    asked = body.rerun or RerunBody()
    reason = asked.reason or body.reason
    wanted = asked.model_copy(update={"dry_run": body.dry_run, "reason": reason})
    return (await doing.reruns.rerun(execution, wanted, who)).execution_id


_ACTIONS: Final[Mapping[str, Action]] = {
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "run_now": _run_now,
    "mark": _mark,
    "resolve": _resolve,
    "rerun": _rerun,
}
