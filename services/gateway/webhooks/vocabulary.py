"""Whether what a filter names exists: a misspelt type, template or category would never fire."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence

from services.gateway import problems
from shared.contracts.api.problems import FieldProblem
from shared.contracts.event_types import EVENT_TYPES
from shared.contracts.webhooks import WebhookFilter, pattern_fits
from shared.ports.templates import TemplateStore


class Vocabulary:
    """What filters may name. `audit_types` are the types of the audit trail, known to the doors."""

    def __init__(self, templates: TemplateStore) -> None:
        self._templates = templates
        self.audit_types: Collection[str] = ()

    async def check(self, wanted: WebhookFilter) -> None:
        """Raises 422 that names every field that can let nothing pass, and the nearest name."""
        found = list(self._events(wanted.events))
        if wanted.templates:
            ids = await self._templates.ids()
            found += _unknown("templates", "template", wanted.templates, ids)
        if wanted.categories:
            categories = await self._templates.categories()
            found += _unknown("categories", "template category", wanted.categories, categories)
        if found:
            raise problems.invalid_fields("The filter would let nothing pass", found)

    def _events(self, patterns: Sequence[str]) -> Iterator[FieldProblem]:
        known = {*EVENT_TYPES, *self.audit_types}
        for index, pattern in enumerate(patterns):
            if not any(pattern_fits(pattern, one) for one in known):
                forms = {*known, *(f"{one.partition('.')[0]}.*" for one in known)}
                yield FieldProblem(
                    field=f"filter/events/{index}",
                    message=f"no event has a type that fits {pattern!r}",
                    fix=_nearest(pattern, forms),
                    code="unknown_event_type",
                )


def _unknown(
    field: str, what: str, names: Sequence[str], known: Collection[str]
) -> Iterator[FieldProblem]:
    for index, name in enumerate(names):
        if name not in known:
            yield FieldProblem(
                field=f"filter/{field}/{index}",
                message=f"there is no {what} {name!r}",
                fix=_nearest(name, known),
                code=f"unknown_{what.rpartition(' ')[2]}",
            )


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known)[:50])}"
