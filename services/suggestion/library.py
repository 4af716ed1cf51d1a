"""The templates and the live agents as they are now, read again every few seconds.

A question reads nothing: what it needs is here. Where templates changed, the index of their steps
is made anew at once and the text model beside the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from services.suggestion.ports import Named, ReadsAgents, ReadsTemplates
from shared.ports.templates import TemplateQuery
from shared.suggest.started import StepIndex
from shared.workflow.definition import Template

log = structlog.get_logger()

PAGE: Final = 100
MAX_TEMPLATES: Final = 5_000

Changed = Callable[[Sequence[Template]], Awaitable[None]]


class Library:
    """See the module. `changed` is told of templates that are not what they were."""

    def __init__(
        self,
        templates: ReadsTemplates,
        agents: ReadsAgents,
        changed: Changed,
        refresh_s: float,
        agents_s: float,
    ) -> None:
        self._store, self._directory, self._changed = templates, agents, changed
        self._refresh_s, self._agents_s = refresh_s, agents_s
        self._hashes: tuple[tuple[str, str], ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self.templates: dict[str, Template] = {}
        self.steps = StepIndex(())
        self.agents: Named | None = None
        """None while they are not known."""
        self.read_at_least_once = asyncio.Event()

    def start(self) -> None:
        """Read from now on."""
        self._tasks = [
            asyncio.create_task(self._keep(self.read_templates, self._refresh_s)),
            asyncio.create_task(self._keep(self.read_agents, self._agents_s)),
        ]

    async def close(self) -> None:
        """Read no more."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def read_templates(self) -> None:
        """Read them now; tell of it where they changed."""
        found: list[Template] = []
        hashes: list[tuple[str, str]] = []
        after: str | None = None
        while len(found) < MAX_TEMPLATES:
            page = await self._store.search(TemplateQuery(after=after, limit=PAGE))
            found += [stored.template for stored in page]
            hashes += [(stored.template.id, stored.content_hash) for stored in page]
            if len(page) < PAGE:
                break
            after = page[-1].template.id
        if tuple(hashes) != self._hashes:
            self.templates = {template.id: template for template in found}
            self.steps = StepIndex(found)
            await self._changed(found)
            self._hashes = tuple(hashes)
        self.read_at_least_once.set()

    async def read_agents(self) -> None:
        """Read them now."""
        self.agents = {agent.name: agent for agent in await self._directory.live()}

    async def _keep(self, read: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            try:
                await read()
            except Exception as error:
                # Whatever is away now may be back at the next round.
                log.info("library not read now", error=str(error) or type(error).__name__)
            await asyncio.sleep(every_s)
