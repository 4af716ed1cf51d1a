"""Notifications of templates become broadcasts: `policies.notifications` says when people are told.

The core raises a notification when an execution ends as the template says; it is published as the
event `notification.raised`. Every coordinator process follows these events together with the
others, so each event goes to one of them, until one has dealt with it:

* the broadcast is stored under an id made of the event's: a repeated delivery, and another process
  that takes over midway, find it there, and it is not sent again;
* then it is told to the live agents; those that do not answer now get it when they catch up.

An event is acknowledged when its broadcast is stored. The feed begins with the oldest event that is
kept, so nothing is missed between the first start of the system and that of its followers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog

from shared.contracts import control
from shared.contracts.collective import Broadcast, Origin, Severity
from shared.contracts.events import PublicEvent
from shared.ports.agents import AgentDirectory
from shared.ports.clock import Clock
from shared.ports.collective import Broadcasts, CollectiveError
from shared.ports.control import Control
from shared.ports.webhooks import EventFeed, FedEvent

log = structlog.get_logger()

FEED: Final = "notifications"
"""The feed's name, for all coordinators."""
RAISED: Final = "notification.raised"
EXPIRES_MS: Final = 7 * 86_400_000
"""For how long agents that come back are given it; events are kept no longer."""
AT_ONCE: Final = 16
"""Most notifications dealt with at once."""
TELL_S: Final = 3.0
"""How long live agents are waited for; who is silent now catches up later."""
FOLLOW_S: Final = 30.0
"""How often the feed is looked after, in case the server has lost it."""
AGAIN_S: Final = 2.0


class Notifier:
    """Makes broadcasts of notifications, in one process of several."""

    def __init__(
        self,
        *,
        feed: EventFeed,
        broadcasts: Broadcasts,
        agents: AgentDirectory,
        control: Control,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._broadcasts = broadcasts
        self._agents = agents
        self._control = control
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow from now on."""
        self._task = asyncio.create_task(self._keep(), name="notifications")

    async def close(self) -> None:
        """Follow no more; what is not dealt with goes to others."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._feed.close()

    async def deal_with(self, fed: FedEvent) -> None:
        """Store the broadcast of one event, acknowledge the event, tell the agents."""
        live = tuple(record.name for record in await self._agents.live())
        wanted = self._wanted(fed.event, live)
        kept = await self._broadcasts.send(wanted) if wanted is not None else None
        await self._feed.acknowledge([fed])
        if kept is not None:
            await self._tell(kept)

    def _wanted(self, event: PublicEvent, live: tuple[str, ...]) -> Broadcast | None:
        if event.type != RAISED or event.at_ms + EXPIRES_MS <= self._clock.now_ms():
            return None
        try:
            return broadcast_of(event, live)
        except (KeyError, ValueError) as error:
            # It would come again for ever.
            log.warning("notification cannot be read", event_id=event.id, reason=str(error)[:300])
            return None

    async def _tell(self, kept: Broadcast) -> None:
        notice = control.BroadcastNotice(broadcast=kept)
        try:
            answers = await self._control.ask_all(control.BROADCAST, notice, kept.expected, TELL_S)
            receipts = [answer.acknowledgement for answer in answers.answers.values()]
            await self._broadcasts.acknowledge(kept.id, receipts)
        except CollectiveError as error:
            log.info("agents not told now, they catch up", broadcast=kept.id, error=str(error))

    async def _keep(self) -> None:
        while True:
            try:
                await self._feed.follow([RAISED], since_ms=0)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FOLLOW_S):
                        events = await self._feed.take(AT_ONCE)
                    await self._all(events)
            except Exception as error:
                # Whatever is away now may be back; what is not acknowledged comes again.
                log.info("notifications not sent now", error=str(error) or type(error).__name__)
                await asyncio.sleep(AGAIN_S)

    async def _all(self, events: Sequence[FedEvent]) -> None:
        done = await asyncio.gather(*map(self.deal_with, events), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, Exception):
                raise outcome


def broadcast_of(event: PublicEvent, live: tuple[str, ...]) -> Broadcast:
    """The broadcast of a `notification.raised`: the same wherever and whenever it is made, except
    for whom it finds alive."""
    execution = event.execution_id
    return Broadcast(
        id=f"bc_{event.id}",
        message=event.data["message"],
        category=event.category or "general",
        severity=Severity(event.data["severity"]),
        sender=f"workflow {event.template_id}",
        sent_at_ms=event.at_ms,
        expires_at_ms=event.at_ms + EXPIRES_MS,
        expected=live,
        origin=None if execution is None else Origin(execution_id=execution),
    )
