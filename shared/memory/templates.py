"""Template versions in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.ports.templates import PutOutcome, StoredTemplate, TemplateQuery
from shared.templates.content import version_order
from shared.workflow.definition import Template, is_generated


class MemoryTemplateStore:
    """Keeps template versions for as long as the process lives."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, str], StoredTemplate] = {}

    async def put(self, stored: StoredTemplate) -> PutOutcome:
        """Store a version; the same again changes nothing, another definition is a conflict."""
        key = (stored.template.id, stored.template.version)
        there = self._stored.setdefault(key, stored)
        if there is stored:
            return PutOutcome.CREATED
        same = there.content_hash == stored.content_hash
        return PutOutcome.UNCHANGED if same else PutOutcome.CONFLICT

    async def get(self, template_id: str, version: str) -> Template | None:
        """One version."""
        stored = self._stored.get((template_id, version))
        return None if stored is None else stored.template

    async def find(self, template_id: str, version: str | None = None) -> StoredTemplate | None:
        """One version (default: the newest) with how it came about."""
        if version is not None:
            return self._stored.get((template_id, version))
        return next(iter(await self.versions(template_id)), None)

    async def versions(self, template_id: str) -> Sequence[StoredTemplate]:
        """Every version, newest first."""
        found = [s for (key, _), s in self._stored.items() if key == template_id]
        return sorted(found, key=lambda s: version_order(s.template.version), reverse=True)

    async def ids(self) -> Sequence[str]:
        """The id of every template, in order."""
        return sorted({template_id for template_id, _ in self._stored})

    async def categories(self) -> Sequence[str]:
        """Every category that a version of a template has, in order."""
        return sorted({stored.template.category for stored in self._stored.values()})

    async def search(self, query: TemplateQuery) -> Sequence[StoredTemplate]:
        """The newest version of each template that fits, by id."""
        ids = sorted({template_id for template_id, _ in self._stored})
        newest = [(await self.versions(template_id))[0] for template_id in ids]
        after = query.after or ""
        fitting = (s for s in newest if s.template.id > after and _fits(s.template, query))
        return list(fitting)[: query.limit]


def _fits(template: Template, query: TemplateQuery) -> bool:
    if is_generated(template.id) and not query.of_rollbacks:
        return False
    if query.category and template.category != query.category:
        return False
    if query.tag and query.tag not in template.tags:
        return False
    words = (template.id, template.name, template.description, *template.tags)
    text = (query.text or "").lower()
    return any(text in word.lower() for word in words)
