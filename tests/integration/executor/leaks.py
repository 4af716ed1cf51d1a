"""Where a text can be read: everything that is stored or logged, searched for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.integration.executor.world import World


async def leaks(world: World, secret: str) -> list[str]:
    """Every collection, stream, bucket, object, log and file of an agent that holds a text."""
    logs = [process.log for process in world.executors.values()]
    servers = [server.log for server in world.servers.all]
    kept = [file for file in (world.home / "agents").rglob("*") if file.is_file()]
    files = [str(f) for f in (*logs, *servers, *kept) if f.exists() and _in_file(f, secret)]
    return [*in_mongo(world, secret), *await in_streams(world, secret), *files]


def in_mongo(world: World, secret: str) -> list[str]:
    """Collections that hold a text."""
    with MongoClient[dict[str, Any]](world.servers.mongo_admin_url("hive")) as client:
        database = client.get_default_database()
        return [
            name
            for name in database.list_collection_names()
            if any(secret in str(document) for document in database[name].find())
        ]


async def in_streams(world: World, secret: str) -> list[str]:
    """Subjects of messages that hold a text, in every stream that there is: those of key-value
    buckets and object stores are among them."""
    found = []
    for info in await world.bus.jetstream.streams_info():
        name = info.config.name or ""
        for seq in range(info.state.first_seq, info.state.last_seq + 1):
            try:
                message = await world.bus.jetstream.get_msg(name, seq)
            except Exception:  # noqa: S112 - purged, or acknowledged
                continue
            if secret in f"{message.subject} {message.data!r} {message.headers}":
                found.append(f"{name}: {message.subject}")
    return found


def _in_file(file: Path, secret: str) -> bool:
    return secret.encode() in file.read_bytes()
