"""The collection `proposals`: workflows that were found, each as JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from pydantic import ValidationError
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.mining.proposals import Proposal
from shared.ports.proposals import Standing, StoredProposal

log = structlog.get_logger()


class MongoProposals:
    """Proposals by their id."""

    def __init__(self, mongo: Mongo) -> None:
        self._proposals = mongo.database["proposals"]

    async def ensure_indexes(self) -> None:
        """Make the index that lists need. Idempotent."""
        await self._proposals.create_index(
            [("owner", ASCENDING), ("rank", DESCENDING), ("_id", ASCENDING)]
        )

    async def renew(self, found: Sequence[Proposal], now_ms: int) -> Sequence[str]:
        """Make the open ones those that were found now."""
        ids = [one.id for one in found]
        await self._proposals.delete_many({"standing": "open", "_id": {"$nin": ids}})
        return [one.id for one in found if await self._renewed(one, now_ms)]

    async def _renewed(self, found: Proposal, now_ms: int) -> bool:
        """Tell one anew; True where it was not there."""
        there = await self._proposals.find_one({"_id": found.id})
        first = int(there["found_at_ms"]) if there is not None else now_ms
        document = _document(StoredProposal(proposal=found, found_at_ms=first, seen_at_ms=now_ms))
        if there is not None:
            # Whoever decides about it meanwhile wins: it is not open any more then.
            await self._proposals.replace_one({"_id": found.id, "standing": "open"}, document)
            return False
        try:
            await self._proposals.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def get(self, proposal_id: str) -> StoredProposal | None:
        """One of them, or `None`."""
        found = await self._proposals.find_one({"_id": proposal_id})
        return _stored(found) if found is not None else None

    async def page(
        self,
        user: str,
        *,
        standing: Standing | None = None,
        after: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> Sequence[StoredProposal]:
        """Those that `user` may see, by rank and id."""
        wanted: dict[str, Any] = {"owner": {"$in": ["", user]}}
        if standing is not None:
            wanted["standing"] = standing
        if after is not None:
            rank, key = after
            wanted["$or"] = [{"rank": {"$lt": rank}}, {"rank": rank, "_id": {"$gt": key}}]
        cursor = self._proposals.find(wanted).sort([("rank", DESCENDING), ("_id", ASCENDING)])
        found = [_stored(one) async for one in cursor.limit(limit)]
        return [one for one in found if one is not None]

    async def every(self) -> Sequence[StoredProposal]:
        """All of them, by id."""
        found = [_stored(one) async for one in self._proposals.find().sort("_id", ASCENDING)]
        return [one for one in found if one is not None]

    async def decide(self, decided: StoredProposal) -> bool:
        """Keep what was decided about one that is open."""
        replaced = await self._proposals.replace_one(
            {"_id": decided.proposal.id, "standing": "open"}, _document(decided)
        )
        return int(replaced.matched_count) == 1

    async def forget(self, user: str, before_ms: int) -> int:
        """Remove those that are a user's own and were found before."""
        if not user:
            return 0
        gone = await self._proposals.delete_many({"owner": user, "found_at_ms": {"$lt": before_ms}})
        return int(gone.deleted_count)


def _document(one: StoredProposal) -> Document:
    return {
        "_id": one.proposal.id,
        "owner": one.proposal.owner,
        "standing": one.standing,
        "rank": one.rank,
        "found_at_ms": one.found_at_ms,
        "proposal": one.model_dump_json(),
    }


def _stored(found: Document) -> StoredProposal | None:
    """The proposal; None of one that another version wrote, which is found anew."""
    try:
        return StoredProposal.model_validate_json(found["proposal"])
    except (ValidationError, KeyError, TypeError) as error:
        log.warning(
            "proposal cannot be read", proposal=str(found.get("_id")), error=type(error).__name__
        )
        return None
