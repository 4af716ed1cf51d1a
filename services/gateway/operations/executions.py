"""Executions: ask for one, wait for it, read it and what it left behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from services.gateway import problems
from services.gateway.hub import EventHub
from services.gateway.operations.appending import append
from services.gateway.operations.templates import TemplateOperations
from services.gateway.operations.validating import Validating
from services.gateway.operations.views import execution_view
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.executions import (
    ExecuteRequest,
    ExecutionAccepted,
    ExecutionEvents,
    ExecutionLogs,
    ExecutionPage,
    ExecutionView,
    LogRecord,
)
from shared.contracts.api.history import ExecutionHistory
from shared.contracts.events import PublicEvent
from shared.contracts.publishing import masked, public_event
from shared.ports.executions import ExecutionQuery
from shared.ports.idempotency import Remembered
from shared.ports.logs import SequencedLog
from shared.ports.templates import StoredTemplate
from shared.workflow.binding import base
from shared.workflow.definition import Template, is_generated
from shared.workflow.errors import ParameterError
from shared.workflow.expressions import json_size
from shared.workflow.identity import created_ms
from shared.workflow.messages import Cause, ExecutionRequested
from shared.workflow.parameters import prepare_parameters
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

YOUNG_MS: Final = 10_000
"""An id made less than this ago may name an execution that is not stored yet."""
FRESH_MS: Final = 1_000
"""Who waited for an end that came less than this ago is spared the look into the archive: nothing
moves there so soon."""
STORED_WITHIN_S: Final = 2.0
"""How long to wait for such an execution."""
FIRST_LOOK_S: Final = 0.01
LAST_LOOK_S: Final = 0.5
"""Pauses between looks at the store; they double from the first to the last."""
LOGS_EVERY_S: Final = 0.25
"""Pause between looks for new lines while they are followed."""
HISTORY_PAGE: Final = 500
MAX_EVIDENCE_BYTES: Final = 16 * 1024
"""Largest evidence of what made somebody ask for an execution, as JSON."""


class ExecutionOperations:
    """Everything about executions but the requests to change one."""

    def __init__(
        self, parts: Parts, templates: TemplateOperations, validating: Validating, hub: EventHub
    ) -> None:
        self._parts = parts
        self._templates = templates
        self._validating = validating
        self._hub = hub

    async def execute(
        self, request: ExecuteRequest, principal: Principal, idempotency_key: str | None = None
    ) -> ExecutionAccepted:
        """Ask for an execution; it is durable when this returns.

        Under an idempotency key the same request again gives the same execution, also when the
        first one was cut off midway; another request under the key is refused.
        """
        if is_generated(request.template_id):
            raise problems.conflict(
                f"Template {request.template_id!r} belongs to a rollback: ask for that instead."
            )
        key = particular(principal, idempotency_key) if idempotency_key else None
        body_hash = _hash(request)
        known = await self._parts.idempotency.find(key) if key else None
        check_same(known, body_hash)
        version = known.template_version if known is not None else request.version
        stored = await self._templates.find(request.template_id, version)
        template = stored.template
        message = _requested(stored, request, principal)
        if known is None:
            message = await self._validated(stored, message, principal)
        execution_id = known.execution_id if known else self._parts.ids.execution_id()
        if key is not None and known is None:
            now_ms = self._parts.clock.now_ms()
            first = Remembered(body_hash, execution_id, template.version, now_ms)
            kept = await self._parts.idempotency.remember(key, first)
            if kept != first:  # another request under this key was quicker: as if it came before
                return await self.execute(request, principal, idempotency_key)
        if known is None or await self._parts.executions.get(execution_id) is None:
            if known is not None:  # the first request was cut off: nobody has looked at it yet
                message = await self._validated(stored, message, principal)
            await append(self._parts.journal, execution_id, message, f"req.{execution_id}")
        return ExecutionAccepted(
            execution_id=execution_id,
            template_id=template.id,
            template_version=template.version,
            replayed=known is not None,
        )

    async def _validated(
        self, stored: StoredTemplate, message: ExecutionRequested, principal: Principal
    ) -> ExecutionRequested:
        """The request with what was found of it beforehand. Raises 422 and 503."""
        found = await self._validating.before_run(stored, message.parameters, principal.name)
        return message.model_copy(update={"verdict": found})

    async def get(self, execution_id: str) -> ExecutionView:
        """One execution. Raises 404."""
        return await self._marked(await self.state(execution_id))

    async def state(self, execution_id: str) -> ExecutionState:
        """The state of one execution; one that was just asked for is waited for. Raises 404."""
        state = await self._parts.executions.get(execution_id)
        if state is None and self._is_young(execution_id):
            state = await self._look_until(execution_id, STORED_WITHIN_S, ended=False)
        if state is None:
            raise problems.not_found(
                "execution", execution_id, "GET /api/v1/workflows/executions lists them."
            )
        return state

    async def template(self, state: ExecutionState) -> Template | None:
        """The definition that an execution runs."""
        return await self._parts.templates.get(state.template_id, state.template_version)

    async def wait(self, execution_id: str, seconds: float) -> ExecutionView | None:
        """The execution as it is when it has ended, or after so many seconds; `None` when it is
        not stored by then."""
        state = await self._look_until(execution_id, seconds, ended=True)
        if state is None:
            return None
        ended_ms = self._parts.clock.now_ms() - state.ended_at_ms
        return await (self._view(state) if ended_ms < FRESH_MS else self._marked(state))

    async def page(self, query: ExecutionQuery) -> ExecutionPage:
        """One page, newest first."""
        found = await self._parts.executions.find(query)
        full = len(found) == query.limit
        return ExecutionPage(
            items=tuple(found),
            next_cursor=f"{found[-1].created_at_ms}.{found[-1].id}" if full else None,
        )

    async def history(self, execution_id: str, after_seq: int, limit: int) -> ExecutionHistory:
        """Journal entries after a sequence. Raises 404."""
        await self.state(execution_id)
        found = await self._parts.executions.history(execution_id, after_seq=after_seq, limit=limit)
        return ExecutionHistory(
            items=tuple(_masked_entry(entry) for entry in found),
            next_after=found[-1].seq if len(found) == limit else None,
        )

    async def events(self, execution_id: str, after: int, limit: int) -> ExecutionEvents:
        """Public events whose version is above `after`, as they were published. Raises 404."""
        state = await self.state(execution_id)
        items: list[PublicEvent] = []
        async with aclosing(self._public_events(state)) as events:
            async for event in events:
                if event.version > after:
                    items.append(event)
                if len(items) == limit:
                    return ExecutionEvents(items=tuple(items), next_after=items[-1].version)
        return ExecutionEvents(items=tuple(items))

    async def logs(
        self, execution_id: str, step: str | None, attempt: int | None, after: int, limit: int
    ) -> ExecutionLogs:
        """At most about `limit` lines after a sequence (chunks are not cut). Raises 404."""
        await self.state(execution_id)
        items: list[LogRecord] = []
        reading = self._parts.logs.read(execution_id, step=step, attempt=attempt, after=after)
        async with aclosing(reading) as chunks:
            async for kept in chunks:
                items.extend(log_records(kept))
                if len(items) >= limit:
                    return ExecutionLogs(items=tuple(items), next_after=kept.seq)
        return ExecutionLogs(items=tuple(items))

    async def follow_logs(
        self, execution_id: str, step: str | None, attempt: int | None, after: int
    ) -> AsyncGenerator[SequencedLog, None]:
        """Lines as they come, until the execution has ended and none is left. Raises 404."""
        last = after
        async with self._hub.watch(execution_id) as end_decided:
            ended = False
            while not ended:
                ended = end_decided.is_set() or (await self.state(execution_id)).ended
                reading = self._parts.logs.read(
                    execution_id, step=step, attempt=attempt, after=last
                )
                async with aclosing(reading) as chunks:
                    async for kept in chunks:
                        last = kept.seq
                        yield kept
                if not ended:
                    await _heard(end_decided, LOGS_EVERY_S)

    async def _marked(self, state: ExecutionState) -> ExecutionView:
        """The view, with when it was archived."""
        view = await self._view(state)
        if not state.ended:
            return view
        at_ms = await self._parts.executions.archived_at_ms(state.execution_id)
        return view.model_copy(update={"archived_at_ms": at_ms})

    async def _view(self, state: ExecutionState) -> ExecutionView:
        return execution_view(state, await self.template(state))

    def _is_young(self, execution_id: str) -> bool:
        made_ms = created_ms(execution_id)
        return made_ms is not None and abs(self._parts.clock.now_ms() - made_ms) < YOUNG_MS

    async def _look_until(
        self, execution_id: str, seconds: float, *, ended: bool
    ) -> ExecutionState | None:
        """Look at the store again and again; the event of its end cuts the pauses short."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        pause = FIRST_LOOK_S
        heard = False
        async with self._hub.watch(execution_id) as end_decided:
            while True:
                state = await self._parts.executions.get(execution_id)
                left = deadline - loop.time()
                if left <= 0 or (state is not None and (state.ended or not ended)):
                    return state
                if heard:
                    await asyncio.sleep(min(pause, left))
                elif await _heard(end_decided, min(pause, left)):
                    heard, pause = True, FIRST_LOOK_S  # decided, and stored in a moment
                pause = min(pause * 2, LAST_LOOK_S)

    async def _public_events(self, state: ExecutionState) -> AsyncGenerator[PublicEvent, None]:
        version, seq = 0, 0
        while True:
            page = await self._parts.executions.history(
                state.execution_id, after_seq=seq, limit=HISTORY_PAGE
            )
            for entry in page:
                seq = entry.seq
                for event in entry.events:
                    version += 1
                    if event.PUBLIC:
                        yield public_event(state, event, version, entry.at_ms)
            if len(page) < HISTORY_PAGE:
                return


async def _heard(event: asyncio.Event, seconds: float) -> bool:
    """True as soon as the event is set, false after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def log_records(kept: SequencedLog) -> list[LogRecord]:
    """The lines of a chunk."""
    chunk = kept.chunk
    return [
        LogRecord(
            step=chunk.step,
            attempt=chunk.attempt,
            agent=chunk.agent,
            number=line.number,
            at_ms=line.at_ms,
            stream=line.stream,
            text=masked(line.text),
        )
        for line in chunk.lines
    ]


def _requested(
    stored: StoredTemplate, request: ExecuteRequest, principal: Principal
) -> ExecutionRequested:
    template = stored.template
    if json_size(request.trigger.evidence) > MAX_EVIDENCE_BYTES:
        limit = f"has more than {MAX_EVIDENCE_BYTES // 1024} KiB"
        raise problems.invalid_field("trigger/evidence", limit, "say where it can be found")
    try:
        parameters = prepare_parameters(template, request.parameters)
    except ParameterError as error:
        raise problems.invalid_parameters(problems.field_problems(error.problems)) from None
    for name in request.pause_before:
        if base(name) not in {step.id for step in template.every_step}:
            raise problems.invalid_field(
                "pause_before", f"there is no step {name}", "name steps of the template"
            )
    return ExecutionRequested(
        template_id=template.id,
        template_version=template.version,
        category=template.category,
        parameters=parameters,
        requested_by=principal.actor,
        suggested_by=request.suggested_by,
        template_author=stored.created_by,
        labels=request.labels,
        trigger=Cause(kind=request.trigger.kind, evidence=request.trigger.evidence),
        pause_before=request.pause_before,
    )


def particular(principal: Principal, idempotency_key: str) -> str:
    """An idempotency key as stored: particular to the API key, and of bounded length."""
    return hashlib.sha256(f"{principal.key_id}\n{idempotency_key}".encode()).hexdigest()


def _hash(request: ExecuteRequest) -> str:
    absent = {"suggested_by"} if request.suggested_by is None else None  # hashes from before it
    text = json.dumps(request.model_dump(mode="json", exclude=absent), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_same(known: Remembered | None, body_hash: str) -> None:
    """Raises 422 when an idempotency key was used for another request."""
    if known is not None and known.body_hash != body_hash:
        raise problems.problem(
            "idempotency-key-reused",
            f"This Idempotency-Key stands for another request (execution {known.execution_id}). "
            "Use a new key for a new request, or send exactly the first one again.",
        )


def _masked_entry(entry: HistoryEntry) -> HistoryEntry:
    return HistoryEntry.model_validate(masked(entry.model_dump(mode="json")))
