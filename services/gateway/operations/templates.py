"""Templates: list, read, check and store, import and export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from services.gateway import problems
from services.gateway.operations.validating import Validating, fields
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.problems import FieldProblem
from shared.contracts.api.templates import (
    TemplatePage,
    TemplateStored,
    TemplateSummary,
    TemplateVersions,
    TemplateView,
)
from shared.ports.templates import PutOutcome, StoredTemplate, TemplateQuery
from shared.templates.content import content_hash
from shared.templates.loader import dump_yaml
from shared.validation.subject import Subject
from shared.workflow.definition import GENERATED, Template, is_generated
from shared.workflow.late import secrets_in

log = structlog.get_logger()


class TemplateOperations:
    """Everything about templates."""

    def __init__(self, parts: Parts, validating: Validating) -> None:
        self._parts = parts
        self._validating = validating

    async def page(self, query: TemplateQuery) -> TemplatePage:
        """One page: the newest version of each template that fits."""
        found = await self._parts.templates.search(query)
        full = len(found) == query.limit
        return TemplatePage(
            items=tuple(summary(stored) for stored in found),
            next_cursor=found[-1].template.id if full else None,
        )

    async def get(self, template_id: str, version: str | None = None) -> TemplateView:
        """One version, by default the newest. Raises 404."""
        stored = await self.find(template_id, version)
        return TemplateView(
            summary=summary(stored),
            definition=stored.template,
            parameters_schema=stored.template.parameters_schema(),
            secrets=_secrets_of(stored.template),
        )

    async def find(self, template_id: str, version: str | None = None) -> StoredTemplate:
        """One version as stored. Raises 404, and says which versions there are."""
        stored = await self._parts.templates.find(template_id, version)
        if stored is not None:
            return stored
        versions = await self._parts.templates.versions(template_id)
        if not versions:
            raise problems.not_found(
                "template", template_id, "GET /api/v1/workflows/templates lists them."
            )
        known = ", ".join(s.template.version for s in versions[:10])
        raise problems.not_found(
            f"version of template {template_id!r} named", version or "", f"There are: {known}."
        )

    async def versions(self, template_id: str) -> TemplateVersions:
        """Every version, newest first. Raises 404."""
        found = await self._parts.templates.versions(template_id)
        if not found:
            raise problems.not_found(
                "template", template_id, "GET /api/v1/workflows/templates lists them."
            )
        return TemplateVersions(items=tuple(summary(stored) for stored in found))

    async def create(self, template: Template, principal: Principal) -> TemplateStored:
        """Check a definition and store it. Raises 422 with every problem, or 409."""
        return await self._checked(
            await self._validating.subject_of_template(template), principal.name
        )

    async def import_text(self, text: str, principal: Principal) -> TemplateStored:
        """The same for a template file, YAML or JSON."""
        return await self._checked(await self._validating.subject_of_text(text), principal.name)

    async def export(self, template_id: str, version: str | None = None) -> str:
        """One version as YAML that can be imported again."""
        return dump_yaml((await self.find(template_id, version)).template)

    async def install(self, templates: Iterable[Template]) -> None:
        """Store templates that come with the product, where they are not stored yet.

        One whose version is stored with another definition stays as it is, and the log says so:
        somebody may rely on it.
        """
        for template in templates:
            now_ms = self._parts.clock.now_ms()
            stored = StoredTemplate(template, content_hash(template), now_ms, "built-in")
            outcome = await self._parts.templates.put(stored)
            if outcome is PutOutcome.CONFLICT:
                log.warning(
                    "built-in template differs from the stored one",
                    template=template.id,
                    version=template.version,
                )

    async def _checked(self, subject: Subject, by: str) -> TemplateStored:
        """Store what has no errors at level standard; warnings are told."""
        if subject.template is not None and is_generated(subject.template.id):
            raise problems.conflict(f"Ids that begin with {GENERATED!r} are those of rollbacks.")
        report = await self._validating.of_save(subject)
        if not report.passed or subject.template is None:
            raise problems.invalid_definition(fields(report.of_severity("error")))
        return await self._store(subject.template, by, fields(report.of_severity("warning")))

    async def _store(
        self, template: Template, by: str, warnings: Sequence[FieldProblem]
    ) -> TemplateStored:
        stored = StoredTemplate(template, content_hash(template), self._parts.clock.now_ms(), by)
        outcome = await self._parts.templates.put(stored)
        if outcome is PutOutcome.CONFLICT:
            raise problems.conflict(
                f"Version {template.version} of template {template.id!r} exists with another "
                "definition, and versions never change. Raise `version` and send it again."
            )
        there = await self.find(template.id, template.version)
        created = outcome is PutOutcome.CREATED
        return TemplateStored(
            outcome="created" if created else "unchanged",
            template=summary(there),
            warnings=tuple(warnings),
        )


def _secrets_of(template: Template) -> tuple[str, ...]:
    used = {name for step in template.steps for _, name in secrets_in(step.parameters)}
    return tuple(sorted(used))


def summary(stored: StoredTemplate) -> TemplateSummary:
    """A stored template as lists show it."""
    template = stored.template
    return TemplateSummary(
        id=template.id,
        version=template.version,
        name=template.name,
        description=template.description,
        category=template.category,
        tags=template.tags,
        steps=len(template.every_step),
        approval_required=template.policies.asks_first,
        estimated_duration_s=template.estimated_duration_s,
        content_hash=stored.content_hash,
        created_at_ms=stored.created_at_ms,
        created_by=stored.created_by,
    )
