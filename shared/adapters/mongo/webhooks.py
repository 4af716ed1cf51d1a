"""The collection `webhooks`: contracts as documents of their fields, `_id` is the id; beside them
the sealed secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.deliveries import NEWEST_FIRST
from shared.contracts.webhooks import Webhook, WebhookChanges, WebhookStatus


class MongoWebhookStore:
    """The collection `webhooks`."""

    def __init__(self, mongo: Mongo) -> None:
        self._webhooks = mongo.database["webhooks"]

    async def add(self, webhook: Webhook, sealed_secret: str) -> None:
        """Store a new one."""
        fields = webhook.model_dump(mode="json", exclude={"id"})
        await self._webhooks.insert_one(
            {"_id": webhook.id, **fields, "sealed_secret": sealed_secret}
        )

    async def get(self, webhook_id: str) -> Webhook | None:
        """One webhook."""
        document = await self._webhooks.find_one({"_id": webhook_id})
        return None if document is None else _webhook(document)

    async def sealed_secrets(self, webhook_id: str, now_ms: int) -> Sequence[str]:
        """Its secret, then the one before while it is still in use."""
        fields = ("sealed_secret", "old_sealed_secret", "old_secret_until_ms")
        found = await self._webhooks.find_one({"_id": webhook_id}, fields)
        if found is None:
            return ()
        overlaps = now_ms < found.get("old_secret_until_ms", 0)
        old = (str(found["old_sealed_secret"]),) if overlaps else ()
        return (str(found["sealed_secret"]), *old)

    async def all(self) -> Sequence[Webhook]:
        """Every webhook, newest first."""
        return [_webhook(d) async for d in self._webhooks.find().sort(NEWEST_FIRST)]

    async def remove(self, webhook_id: str) -> bool:
        """Forget it."""
        result = await self._webhooks.delete_one({"_id": webhook_id})
        return bool(result.deleted_count)

    async def change(self, webhook_id: str, changes: WebhookChanges, at_ms: int) -> Webhook | None:
        """Make it different."""
        fields = changes.model_dump(mode="json", exclude_none=True)
        document: Document | None = await self._webhooks.find_one_and_update(
            {"_id": webhook_id},
            {"$set": {**fields, "changed_at_ms": at_ms}},
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _webhook(document)

    async def rotate(
        self, webhook_id: str, sealed_secret: str, at_ms: int, old_until_ms: int
    ) -> Webhook | None:
        """Give it a new secret beside the one before, in one step."""
        fields = {
            "old_sealed_secret": "$sealed_secret",
            "sealed_secret": {"$literal": sealed_secret},
            "rotated_at_ms": at_ms,
            "old_secret_until_ms": old_until_ms,
        }
        document: Document | None = await self._webhooks.find_one_and_update(
            {"_id": webhook_id}, [{"$set": fields}], return_document=ReturnDocument.AFTER
        )
        return None if document is None else _webhook(document)

    async def enable(self, webhook_id: str, at_ms: int, after_seq: int) -> Webhook | None:
        """Tell it again, with its failures forgotten."""
        fields = {
            "status": WebhookStatus.ENABLED.value,
            "enabled_at_ms": at_ms,
            "after_seq": after_seq,
            "consecutive_failures": 0,
            "failing_since_ms": 0,
            "disabled_at_ms": 0,
            "disabled_reason": "",
        }
        await self._webhooks.update_one(
            {"_id": webhook_id, "status": WebhookStatus.DISABLED.value}, {"$set": fields}
        )
        return await self.get(webhook_id)

    async def disable(self, webhook_id: str, reason: str, at_ms: int) -> bool:
        """Tell it nothing more."""
        fields = {
            "status": WebhookStatus.DISABLED.value,
            "disabled_at_ms": at_ms,
            "disabled_reason": reason,
        }
        result = await self._webhooks.update_one(
            {"_id": webhook_id, "status": WebhookStatus.ENABLED.value}, {"$set": fields}
        )
        return bool(result.modified_count)

    async def succeeded(self, webhook_id: str, at_ms: int) -> None:
        """It took a delivery."""
        await self._webhooks.update_one(
            {"_id": webhook_id},
            {
                "$set": {"consecutive_failures": 0, "failing_since_ms": 0},
                "$max": {"last_success_at_ms": at_ms},
            },
        )

    async def failed(self, webhook_id: str, at_ms: int) -> Webhook | None:
        """It did not take a delivery."""
        since = {"$cond": [{"$eq": ["$failing_since_ms", 0]}, at_ms, "$failing_since_ms"]}
        count = {"$add": ["$consecutive_failures", 1]}
        document: Document | None = await self._webhooks.find_one_and_update(
            {"_id": webhook_id},
            [{"$set": {"consecutive_failures": count, "failing_since_ms": since}}],
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _webhook(document)


def _webhook(document: Mapping[str, Any]) -> Webhook:
    """A webhook; one that was stored by an older version lacks fields, which have defaults."""
    fields = {name: document[name] for name in Webhook.model_fields if name in document}
    return Webhook(id=document["_id"], **fields)
