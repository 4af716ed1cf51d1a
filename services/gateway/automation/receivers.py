"""Receivers as callers use them, and what they are sent."""

from __future__ import annotations

import asyncio
import base64
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from services.gateway import problems
from services.gateway.automation.payloads import Delivered, chunks, events_of
from services.gateway.automation.proofs import why_not_proven
from services.gateway.operations.appending import append
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from services.gateway.webhooks.signing import new_secret
from shared.automation.messages import Event, EventsReceived
from shared.automation.rule import TEMPLATE
from shared.contracts.api.triggers import EventsAccepted
from shared.contracts.receivers import (
    IssuedReceiver,
    NewReceiver,
    Receiver,
    ReceiverList,
    ReceiverView,
)
from shared.runtime.sealing import Sealer, SealError, key_from_file
from shared.workflow.identity import created_ms
from shared.workflow.state import ExecutionState

KEY_FILE: Final = "triggers.key"
PATH: Final = "/api/v1/triggers/receive"
LIMIT: Final = 1_000
"""Most receivers."""
YOUNG_MS: Final = 600_000
STORED_WITHIN_S: Final = 5.0
LOOK_S: Final = 0.05
EXECUTION_HEADER: Final = "hive-execution"
"""By which a workflow that calls a receiver says that it does."""


Heard = Callable[[str, Sequence[Event]], None]


class ReceiverOperations:
    """Raises 401, 404, 409, 422 and 503."""

    def __init__(self, parts: Parts, home: Path, heard: Heard | None = None) -> None:
        """The key that seals secrets is made in `home` if it is missing. `heard` is told of what
        came in once rules have it."""
        self._heard = heard
        self._receivers = parts.automations.receivers
        self._automations = parts.automations.store
        self._journal = parts.automations.journal
        self._executions = parts.executions
        self._clock = parts.clock
        self._ids = parts.ids
        self._sealer = Sealer(key_from_file(home / KEY_FILE))

    async def create(self, wanted: NewReceiver, principal: Principal) -> IssuedReceiver:
        """Make a receiver; its secret is in the answer and nowhere else in clear."""
        if len(await self._receivers.all()) >= LIMIT:
            raise problems.conflict(f"There are {LIMIT} receivers. Remove one first.")
        receiver = Receiver(
            **wanted.model_dump(exclude={"proof"}),
            proof=wanted.proven_by,
            id=self._ids.new("rc"),
            created_at_ms=self._clock.now_ms(),
            created_by=principal.name,
        )
        secret = _new_secret(receiver)
        await self._receivers.add(receiver, self._sealer.seal(secret))
        return IssuedReceiver(receiver=receiver, path=path_of(receiver), secret=secret)

    async def all(self) -> ReceiverList:
        """Every receiver, newest first."""
        return ReceiverList(items=tuple([await self._view(r) for r in await self._receivers.all()]))

    async def get(self, receiver_id: str) -> ReceiverView:
        """One receiver."""
        return await self._view(await self.known(receiver_id))

    async def known(self, receiver_id: str) -> Receiver:
        """One receiver. Raises 404."""
        found = await self._receivers.get(receiver_id)
        if found is None:
            raise problems.not_found(
                "receiver", receiver_id, "GET /api/v1/triggers/receivers lists them."
            )
        return found

    async def rotate(self, receiver_id: str, overlap_s: float) -> IssuedReceiver:
        """Give it a new secret; the one before is taken, too, for so long."""
        receiver = await self.known(receiver_id)
        now_ms = self._clock.now_ms()
        secret = _new_secret(receiver)
        sealed = self._sealer.seal(secret)
        until_ms = now_ms + round(overlap_s * 1_000)
        rotated = await self._receivers.rotate(receiver_id, sealed, now_ms, until_ms)
        if rotated is None:
            raise problems.not_found("receiver", receiver_id)
        return IssuedReceiver(receiver=rotated, path=path_of(rotated), secret=secret)

    async def remove(self, receiver_id: str) -> None:
        """Take nothing more. Raises 409 while rules wait for it."""
        await self.known(receiver_id)
        rules = await self._automations.ids_of(receiver_id)
        if rules:
            named = ", ".join(rules[:10])
            raise problems.conflict(f"Rules use {receiver_id}: {named}. Delete them first.")
        await self._receivers.remove(receiver_id)

    async def receive(
        self, receiver_id: str, headers: Mapping[str, str], body: bytes
    ) -> EventsAccepted:
        """Take a delivery: proven, read, and durable in the journal of each rule. Raises 401 for
        a wrong secret."""
        receiver = await self._receivers.get(receiver_id)
        now_ms = self._clock.now_ms()
        if receiver is None:
            raise problems.not_found("receiver", receiver_id, "It may have been deleted.")
        opened = await self._secrets(receiver_id, now_ms)
        if not opened:
            raise problems.conflict(
                f"The secret of {receiver_id} was sealed with another key than this gateway's "
                f"{KEY_FILE}. Give all gateways the same file, or rotate the secret."
            )
        if reason := why_not_proven(receiver, opened, headers, body, now_ms):
            raise _unproven(reason)
        delivered = Delivered(headers=headers, body=body, id=self._ids.new("ev"), at_ms=now_ms)
        events = events_of(receiver, delivered)
        if chain := await self.chain_of(headers.get(EXECUTION_HEADER, "")):
            events = [event.model_copy(update={"chain": chain}) for event in events]
        rules = await self._automations.ids_of(receiver_id)
        for rule in rules:
            await self.give(rule, events, delivered.id)
        if self._heard is not None:
            self._heard(receiver_id, events)
        return EventsAccepted(events=len(events), rules=len(rules))

    async def give(self, rule_id: str, events: Sequence[Event], delivery_id: str) -> None:
        """Put events into a rule's journal, durably."""
        for number, some in enumerate(chunks(events)):
            message_id = f"ev.{rule_id}.{delivery_id}.{number}"
            message = EventsReceived(events=tuple(some))
            await append(self._journal, rule_id, message, message_id)

    async def chain_of(self, execution_id: str) -> tuple[str, ...]:
        """By which rules and templates an execution came about, itself included."""
        if not execution_id.startswith("ex_") or len(execution_id) > 100:
            return ()
        state = await self._stored(execution_id)
        return () if state is None else (*state.trigger.chain, TEMPLATE + state.template_id)

    async def _stored(self, execution_id: str) -> ExecutionState | None:
        """States are written a moment after what they tell is published: a young execution is
        waited for."""
        made_ms = created_ms(execution_id)
        young = made_ms is not None and self._clock.now_ms() - made_ms < YOUNG_MS
        deadline = asyncio.get_running_loop().time() + (STORED_WITHIN_S if young else 0)
        while (state := await self._executions.get(execution_id)) is None:
            if asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(LOOK_S)
        return state

    async def _view(self, receiver: Receiver) -> ReceiverView:
        rules = await self._automations.ids_of(receiver.id)
        return ReceiverView(receiver=receiver, path=path_of(receiver), rules=tuple(rules))

    async def _secrets(self, receiver_id: str, now_ms: int) -> tuple[str, ...]:
        """Those that can be opened: a gateway with another key leaves them to others."""
        found: list[str] = []
        for sealed in await self._receivers.sealed_secrets(receiver_id, now_ms):
            try:
                found.append(str(self._sealer.open(sealed)))
            except SealError:
                continue
        return tuple(found)


def path_of(receiver: Receiver) -> str:
    """Where to send to."""
    return f"{PATH}/{receiver.id}"


def _new_secret(receiver: Receiver) -> str:
    if receiver.proven_by == "standard":
        return new_secret()
    return base64.urlsafe_b64encode(random.token_bytes(32)).decode().rstrip("=")


def _unproven(reason: str) -> problems.ProblemError:
    said = reason[:1].upper() + reason[1:]
    return problems.problem("unauthenticated", f"{said}.", headers={"WWW-Authenticate": "Bearer"})
