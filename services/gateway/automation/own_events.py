"""Our own public events, given to the rules that are about them.

All gateways follow together, each event goes to one of them, until it is in the journal of every
rule that it could fit. Given again (a gateway died in between), it has the same message id, later
the same execution id, so it starts nothing twice. Without such rules nothing is followed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from services.gateway.automation.receivers import ReceiverOperations
from services.gateway.webhooks.loops import Loop
from shared.automation.messages import Event
from shared.automation.specs import OWN_EVENTS
from shared.automation.states import RuleState
from shared.contracts.events import PublicEvent
from shared.contracts.publishing import masked
from shared.ports.automations import AutomationStore
from shared.ports.clock import Clock
from shared.ports.webhooks import EventFeed, FedEvent

FEED: Final = "triggers"
REFRESH_S: Final = 2.0
"""How often rules are looked for that were made or changed."""
AT_ONCE: Final = 256
NOT_OURS: Final = ("audit.", "webhook.")
"""Categories that no rule sees: the audit trail is for admins, and deliveries are no events of the
system."""


class OwnEvents:
    """Follows in one gateway of several."""

    def __init__(
        self, feed: EventFeed, store: AutomationStore, receivers: ReceiverOperations, clock: Clock
    ) -> None:
        self._feed = feed
        self._store = store
        self._receivers = receivers
        self._clock = clock
        self._loop = Loop("own events", self._turn)
        self._following = False

    def start(self) -> None:
        """Follow from now on."""
        self._loop.start()

    async def close(self) -> None:
        """Follow no more; what is not dealt with goes to others."""
        await self._loop.close()
        await self._feed.close()

    async def _turn(self) -> None:
        rules = await self._rules()
        patterns = sorted({pattern for patterns in rules.values() for pattern in patterns})
        if patterns or self._following:
            await self._feed.follow(patterns, since_ms=self._clock.now_ms())
            self._following = bool(patterns)
        if not patterns:
            await asyncio.sleep(REFRESH_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_S):
                fed = await self._feed.take(AT_ONCE)
            await self._deal_with(fed, rules)

    async def _rules(self) -> Mapping[str, Sequence[str]]:
        """The patterns of each rule that is about our own events."""
        if not await self._store.ids_of(OWN_EVENTS):
            return {}
        states = [one.state for one in await self._store.all("rule")]
        own = [s for s in states if isinstance(s, RuleState) and s.spec.receiver == OWN_EVENTS]
        return {state.id: state.spec.events for state in own}

    async def _deal_with(self, fed: Sequence[FedEvent], rules: Mapping[str, Sequence[str]]) -> None:
        for one in fed:
            fitting = [
                rule
                for rule, patterns in rules.items()
                if any(fnmatchcase(one.event.type, pattern) for pattern in patterns)
            ]
            if fitting and not one.event.type.startswith(NOT_OURS):
                event = await self._event(one.event)
                for rule in fitting:
                    await self._receivers.give(rule, [event], event.id)
        await self._feed.acknowledge(fed)

    async def _event(self, event: PublicEvent) -> Event:
        chain = await self._receivers.chain_of(event.execution_id or "")
        if event.execution_id and not chain:
            # It comes again. Without it what triggers itself could not be told.
            raise LookupError(f"{event.execution_id} is not stored yet")
        data = {
            "execution_id": event.execution_id,
            "template_id": event.template_id,
            "category": event.category,
            "data": masked(event.data),
        }
        return Event(
            id=event.id,
            type=event.type,
            key=event.id,
            receiver=OWN_EVENTS,
            at_ms=event.at_ms,
            cause="pattern_matched",
            data=data,
            chain=chain,
        )
