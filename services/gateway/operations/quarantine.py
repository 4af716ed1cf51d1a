"""Quarantine: what could not be applied, and putting it back or throwing it away.

A message that is put back is a new one at the end of the journal: the coordinator judges it as any
other, and quarantines it again if its cause is still there. The checks here spare that way where
the cause can be seen.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import ValidationError

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.automation.messages import AUTOMATION_MESSAGE
from shared.automation.turns import is_automation
from shared.contracts.publishing import masked
from shared.contracts.quarantine import QuarantineEntry, QuarantinePage, Resolution
from shared.ports.quarantine import QuarantineQuery
from shared.rollback.messages import ROLLBACK_MESSAGE
from shared.rollback.state import is_rollback
from shared.workflow.concurrency_key import KEY_MESSAGE, is_key
from shared.workflow.messages import JOURNAL_MESSAGE, ExecutionRequested, Message

REASON_CHARACTERS: Final = 500


class QuarantineOperations:
    """Raises 404 for what is not there, 409 for what is resolved or cannot be put back yet."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def page(self, query: QuarantineQuery) -> QuarantinePage:
        """One page, newest first."""
        found = await self._parts.quarantine.find(query)
        full = len(found) == query.limit
        return QuarantinePage(
            items=tuple(map(_masked, found)),
            next_cursor=f"{found[-1].at_ms}.{found[-1].id}" if full else None,
        )

    async def get(self, entry_id: str) -> QuarantineEntry:
        """One of them."""
        return _masked(await self._found(entry_id))

    async def retry(self, entry_id: str, principal: Principal) -> QuarantineEntry:
        """Put it back, and only then say so: what is cut off between can be done again, and is the
        same message."""
        entry = await self._waiting(entry_id)
        message = _readable(entry)
        await self._check_cause(entry, message)
        journal = self._parts.automations.journal
        await append(journal, entry.execution_id, message, f"quarantine.{entry_id}")
        return await self._resolve(entry, "retried", principal)

    async def discard(self, entry_id: str, reason: str, principal: Principal) -> QuarantineEntry:
        """Say that it is not wanted, and why."""
        entry = await self._waiting(entry_id)
        return await self._resolve(entry, "discarded", principal, reason)

    async def _resolve(
        self,
        entry: QuarantineEntry,
        outcome: Literal["retried", "discarded"],
        principal: Principal,
        reason: str = "",
    ) -> QuarantineEntry:
        now_ms = self._parts.clock.now_ms()
        made = Resolution(outcome=outcome, by=principal.actor, at_ms=now_ms, reason=reason)
        if not await self._parts.quarantine.resolve(entry.id, made):
            raise _resolved(await self._found(entry.id))
        return _masked(entry.model_copy(update={"resolution": made}))

    async def _found(self, entry_id: str) -> QuarantineEntry:
        entry = await self._parts.quarantine.get(entry_id)
        if entry is None:
            raise problems.not_found(
                "quarantined message", entry_id, "GET /api/v1/quarantine lists them."
            )
        return entry

    async def _waiting(self, entry_id: str) -> QuarantineEntry:
        entry = await self._found(entry_id)
        if entry.resolution is not None:
            raise _resolved(entry)
        return entry

    async def _check_cause(self, entry: QuarantineEntry, message: Message) -> None:
        """What would only be quarantined again. A state without its template cannot go on."""
        if any(is_actor(entry.execution_id) for is_actor in (is_automation, is_key, is_rollback)):
            return
        try:
            state = await self._parts.executions.get(entry.execution_id)
        except ValidationError as error:
            raise _not_yet(entry, f"the stored state cannot be read: {error}") from None
        if state is not None:
            wanted = state.template_id, state.template_version
        elif isinstance(message, ExecutionRequested):
            wanted = message.template_id, message.template_version
        else:
            return
        if await self._parts.templates.get(*wanted) is None:
            raise _not_yet(entry, f"template {wanted[0]}@{wanted[1]} is not stored")


def _readable(entry: QuarantineEntry) -> Message:
    """What an execution, a schedule, a concurrency key or a rollback was told."""
    try:
        if is_key(entry.execution_id):
            return KEY_MESSAGE.validate_json(entry.payload)
        if is_automation(entry.execution_id):
            return AUTOMATION_MESSAGE.validate_json(entry.payload)
        if is_rollback(entry.execution_id):
            return ROLLBACK_MESSAGE.validate_json(entry.payload)
        return JOURNAL_MESSAGE.validate_json(entry.payload)
    except ValidationError as error:
        raise _not_yet(entry, f"this version cannot read the message: {_words(error)}") from None


def _words(error: ValidationError) -> str:
    """What does not fit, and where, without the names of all that would."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)


def _not_yet(entry: QuarantineEntry, reason: str) -> problems.ProblemError:
    return problems.conflict(
        f"{entry.id} cannot be put back, its cause is still there: "
        f"{' '.join(reason.split())[:REASON_CHARACTERS]}. Mend that, or discard the message."
    )


def _resolved(entry: QuarantineEntry) -> problems.ProblemError:
    done = entry.resolution
    by = f" by {done.by.id}" if done is not None else ""
    return problems.conflict(f"{entry.id} was {done.outcome if done else 'resolved'} already{by}.")


def _masked(entry: QuarantineEntry) -> QuarantineEntry:
    return entry.model_copy(
        update={"payload": masked(entry.payload), "reason": masked(entry.reason)}
    )
