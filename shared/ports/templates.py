"""Where template versions are kept. They are immutable: a version names one definition for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.workflow.definition import Template


class PutOutcome(StrEnum):
    """What became of storing a template version."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """A template version as stored. `content_hash` is SHA-256 over its canonical JSON text."""

    template: Template
    content_hash: str
    created_at_ms: int
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class TemplateQuery:
    """Which templates to list: all conditions hold together. `text` is looked for in id, name,
    description and tags, whatever its case. `after` is the last id of the page before. Those that
    were made for rollbacks are listed only where the category `rollback` is asked for."""

    category: str | None = None
    tag: str | None = None
    text: str | None = None
    after: str | None = None
    limit: int = 50

    @property
    def of_rollbacks(self) -> bool:
        """True when those that were made for rollbacks are asked for."""
        return self.category == "rollback"


class TemplateStore(Protocol):
    """Template versions. The newest version of a template is its highest release; where there are
    only pre-releases, the highest of these."""

    async def put(self, stored: StoredTemplate) -> PutOutcome:
        """Store a version, atomically: of two different definitions one wins, the other is a
        conflict."""
        ...

    async def get(self, template_id: str, version: str) -> Template | None:
        """One immutable version, or `None`."""
        ...

    async def find(self, template_id: str, version: str | None = None) -> StoredTemplate | None:
        """One version (default: the newest) with how it came about, or `None`."""
        ...

    async def versions(self, template_id: str) -> Sequence[StoredTemplate]:
        """Every version, newest first; empty when there is no such template."""
        ...

    async def ids(self) -> Sequence[str]:
        """The id of every template, in order."""
        ...

    async def categories(self) -> Sequence[str]:
        """Every category that a version of a template has, in order."""
        ...

    async def search(self, query: TemplateQuery) -> Sequence[StoredTemplate]:
        """The newest version of each template that fits, ordered by id, at most `query.limit`."""
        ...
