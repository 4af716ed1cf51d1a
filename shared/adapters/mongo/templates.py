"""Template versions in MongoDB: the definition as JSON text, beside the fields that are searched.

A version is inserted once under `<id>@<version>` and never changed, so that a read may be kept for
ever; the unique `_id` decides between two that store different definitions at once.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.ports.templates import PutOutcome, StoredTemplate, TemplateQuery
from shared.templates.content import canonical_text, version_order
from shared.workflow.definition import GENERATED, Template

_NOT_GENERATED: Final = {"$not": {"$regex": f"^{re.escape(GENERATED)}"}}
KEPT_VERSIONS: Final = 500
"""Template versions that one process keeps in memory."""


class MongoTemplateStore:
    """The collection `templates`."""

    def __init__(self, mongo: Mongo) -> None:
        self._templates = mongo.database["templates"]
        self._kept: OrderedDict[str, Template] = OrderedDict()

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads need. Idempotent."""
        await self._templates.create_index(
            [("template_id", ASCENDING), ("version_order", DESCENDING)]
        )

    async def put(self, stored: StoredTemplate) -> PutOutcome:
        """Store a version; the same again changes nothing, another definition is a conflict."""
        document = _document(stored)
        try:
            await self._templates.insert_one(document)
        except DuplicateKeyError:
            there = await self._templates.find_one({"_id": document["_id"]}, {"content_hash": 1})
            same = there is not None and there["content_hash"] == stored.content_hash
            return PutOutcome.UNCHANGED if same else PutOutcome.CONFLICT
        return PutOutcome.CREATED

    async def get(self, template_id: str, version: str) -> Template | None:
        """One version, from memory where it was read before."""
        key = f"{template_id}@{version}"
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        document = await self._templates.find_one({"_id": key}, {"definition": 1})
        if document is None:
            return None
        template = Template.model_validate_json(document["definition"])
        self._kept[key] = template
        if len(self._kept) > KEPT_VERSIONS:
            self._kept.popitem(last=False)
        return template

    async def find(self, template_id: str, version: str | None = None) -> StoredTemplate | None:
        """One version (default: the newest) with how it came about."""
        if version is not None:
            document = await self._templates.find_one({"_id": f"{template_id}@{version}"})
        else:
            newest = [("version_order", DESCENDING)]
            document = await self._templates.find_one({"template_id": template_id}, sort=newest)
        return None if document is None else _stored(document)

    async def versions(self, template_id: str) -> Sequence[StoredTemplate]:
        """Every version, newest first."""
        cursor = self._templates.find({"template_id": template_id})
        return [_stored(d) async for d in cursor.sort("version_order", DESCENDING)]

    async def ids(self) -> Sequence[str]:
        """The id of every template, in order."""
        return sorted(map(str, await self._templates.distinct("template_id")))

    async def categories(self) -> Sequence[str]:
        """Every category that a version of a template has, in order."""
        return sorted(map(str, await self._templates.distinct("category")))

    async def search(self, query: TemplateQuery) -> Sequence[StoredTemplate]:
        """The newest version of each template that fits, by id."""
        pipeline: list[Mapping[str, Any]] = [
            *([{"$match": {"template_id": {"$gt": query.after}}}] if query.after else []),
            *([] if query.of_rollbacks else [{"$match": {"template_id": _NOT_GENERATED}}]),
            {"$sort": {"template_id": ASCENDING, "version_order": DESCENDING}},
            {"$group": {"_id": "$template_id", "newest": {"$first": "$$ROOT"}}},
            {"$replaceWith": "$newest"},
            {"$match": _conditions(query)},
            {"$sort": {"template_id": ASCENDING}},
            {"$limit": query.limit},
        ]
        return [_stored(d) async for d in self._templates.aggregate(pipeline, allowDiskUse=True)]


def _conditions(query: TemplateQuery) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if query.category:
        conditions["category"] = query.category
    if query.tag:
        conditions["tags"] = query.tag
    if query.text:
        pattern = {"$regex": re.escape(query.text), "$options": "i"}
        fields = ("template_id", "name", "description", "tags")
        conditions["$or"] = [{field: pattern} for field in fields]
    return conditions


def _document(stored: StoredTemplate) -> Document:
    template = stored.template
    return {
        "_id": f"{template.id}@{template.version}",
        "template_id": template.id,
        "version": template.version,
        "version_order": version_order(template.version),
        "name": template.name,
        "description": template.description,
        "category": template.category,
        "tags": list(template.tags),
        "content_hash": stored.content_hash,
        "created_at_ms": stored.created_at_ms,
        "created_by": stored.created_by,
        "definition": canonical_text(template),
    }


def _stored(document: Mapping[str, Any]) -> StoredTemplate:
    return StoredTemplate(
        template=Template.model_validate_json(document["definition"]),
        content_hash=document["content_hash"],
        created_at_ms=document["created_at_ms"],
        created_by=document["created_by"],
    )
