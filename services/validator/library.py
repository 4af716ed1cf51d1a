"""What is kept of templates between questions: which concurrency keys they use.

It is read again every so many seconds, so that a question needs not read every template.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import structlog

from services.validator.picture import KeyUse
from services.validator.ports import ReadsTemplates
from shared.ports.templates import TemplateQuery
from shared.workflow.definition import Template

log = structlog.get_logger()

PAGE: Final = 50
MAX_TEMPLATES: Final = 5_000


class KeyLibrary:
    """The concurrency keys of the newest version of each template, as they are written."""

    def __init__(self, templates: ReadsTemplates, every_s: float) -> None:
        self._templates = templates
        self._every_s = every_s
        self._uses: tuple[KeyUse, ...] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def uses(self) -> tuple[KeyUse, ...] | None:
        """As last read; None while they have not been read."""
        return self._uses

    async def start(self) -> None:
        """Read them from now on."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def read(self) -> None:
        """Read them now."""
        found: list[KeyUse] = []
        after: str | None = None
        for _ in range(MAX_TEMPLATES // PAGE):
            page = await self._templates.search(TemplateQuery(after=after, limit=PAGE))
            for stored in page:
                found += _keys_of(stored.template)
            if len(page) < PAGE:
                break
            after = page[-1].template.id
        self._uses = tuple(found)

    async def _keep(self) -> None:
        while True:
            try:
                await self.read()
            except Exception as error:
                # Whatever is away now may be back at the next round.
                log.info("templates not read now", error=str(error) or type(error).__name__)
            await asyncio.sleep(self._every_s)


def _keys_of(template: Template) -> Iterator[KeyUse]:
    rules = [template.policies.concurrency, *(step.concurrency for step in template.every_step)]
    for rule in rules:
        if rule is not None:
            yield KeyUse(template.id, rule.key, rule.limit, rule.on_conflict)
