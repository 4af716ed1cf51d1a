"""What ended executions were: read from where they are, live or archived, with their templates."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shared.ports.archive import Archive
from shared.ports.executions import ExecutionQueries
from shared.ports.templates import TemplateStore
from shared.workflow.definition import Template
from shared.workflow.errors import DefinitionError
from shared.workflow.program import CommandSignature, Program, compile_template
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

log = structlog.get_logger()

MOST_PROGRAMS: Final = 200
HISTORY_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Meant:
    """What an execution ran: its template, and that made ready; `None` where it is not there any
    more, or cannot be made ready."""

    template: Template | None
    program: Program | None


class EndedRuns:
    """Reads states, histories and templates."""

    def __init__(
        self,
        live: ExecutionQueries,
        archive: Archive,
        templates: TemplateStore,
        commands: Mapping[str, CommandSignature],
    ) -> None:
        self._live = live
        self._archive = archive
        self._templates = templates
        self._commands = commands
        self._known: OrderedDict[tuple[str, str], Meant] = OrderedDict()

    async def state(self, execution_id: str) -> ExecutionState | None:
        """The newest state, live or archived."""
        state = await self._live.get(execution_id)
        if state is not None:
            return state
        archived = await self._archive.get(execution_id)
        return archived.stored.state if archived is not None else None

    async def live(self, execution_ids: Collection[str]) -> Mapping[str, ExecutionState]:
        """The newest states of those that are live, by id."""
        return await self._live.get_many(execution_ids)

    async def history(self, execution_id: str) -> Sequence[HistoryEntry]:
        """All that is kept of what happened, in order, each entry once. The live part is read
        first: what is archived meanwhile is in the archive by then."""
        entries: dict[int, HistoryEntry] = {}
        after = 0
        while page := await self._live.history(execution_id, after_seq=after, limit=HISTORY_PAGE):
            entries |= {entry.seq: entry for entry in page}
            after = page[-1].seq
        if await self._archive.archived_at_ms(execution_id):
            archived = await self._archive.get(execution_id)
            for entry in archived.history if archived is not None else ():
                entries.setdefault(entry.seq, entry)
        return [entries[seq] for seq in sorted(entries)]

    async def meant(self, template_id: str, version: str) -> Meant:
        """What a template version says; kept for the next one that asks."""
        key = template_id, version
        found = self._known.pop(key, None)
        if found is None:
            template = await self._templates.get(*key)
            found = Meant(template, self._compiled(template) if template is not None else None)
        self._known[key] = found
        if len(self._known) > MOST_PROGRAMS:
            self._known.popitem(last=False)
        return found

    def _compiled(self, template: Template) -> Program | None:
        try:
            return compile_template(template, self._commands)
        except DefinitionError as error:
            log.info("template not made ready", template=template.id, reason=str(error)[:300])
            return None
