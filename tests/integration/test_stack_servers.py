"""The embedded NATS and MongoDB servers: real processes, real data, real refusals."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from ops.stack import credentials
from ops.stack.servers import EmbeddedServers, embedded_servers
from ops.stack.urls import with_user

Document = dict[str, object]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    with embedded_servers(tmp_path_factory.mktemp("embedded")) as servers:
        yield servers


async def _connect(url: str, errors: list[Exception] | None = None) -> Client:
    async def record(error: Exception) -> None:
        if errors is not None:
            errors.append(error)

    return await nats.connect(url, allow_reconnect=False, error_cb=record, connect_timeout=5)


async def test_acknowledged_messages_survive_kill_and_restart(embedded: EmbeddedServers) -> None:
    """A message that nats-server acknowledged is still there after kill -9 and a start on the same
    port.
    """
    client = await _connect(embedded.nats_url("admin"))
    await client.jetstream().add_stream(name="KEEP", subjects=["keep.>"])
    ack = await client.jetstream().publish("keep.one", b"still here")
    before = embedded.nats.pid
    embedded.nats.kill()
    assert not embedded.nats.running
    embedded.nats.start()
    embedded.nats.wait_ready()
    assert embedded.nats.pid != before

    client = await _connect(embedded.nats_url("admin"))
    message = await client.jetstream().get_msg("KEEP", seq=ack.seq)
    assert message.data == b"still here"
    await client.close()


def test_acknowledged_documents_survive_kill_and_restart(embedded: EmbeddedServers) -> None:
    """A document written with majority concern is still there after kill -9 of mongod."""
    with MongoClient[Document](embedded.mongo_url) as client:
        client.hive.kept.insert_one({"_id": "one"})
    embedded.mongo.kill()
    embedded.mongo.restart()
    with MongoClient[Document](embedded.mongo_url) as client:
        assert client.hive.kept.find_one({"_id": "one"}) == {"_id": "one"}


def test_mongo_has_transactions(embedded: EmbeddedServers) -> None:
    """The replica set grants transactions to the application's user."""
    with MongoClient[Document](embedded.mongo_url) as client, client.start_session() as session:
        with session.start_transaction():
            client.hive.moved.insert_one({"_id": 1}, session=session)
        assert client.hive.moved.count_documents({}) == 1


def test_mongo_uses_little_memory(embedded: EmbeddedServers) -> None:
    """mongod has a small cache."""
    config = embedded.mongo.config
    url = f"mongodb://root:{config.root_password}@127.0.0.1:{config.port}/?directConnection=true"
    with MongoClient[Document](url) as client:
        status = client.admin.command("serverStatus")
    assert status["wiredTiger"]["cache"]["maximum bytes configured"] == 128 * 1024 * 1024


@pytest.mark.parametrize("login", [None, ("gateway", "wrong")])
async def test_nats_refuses_strangers(
    embedded: EmbeddedServers, login: tuple[str, str] | None
) -> None:
    """A connection without a user, or with a wrong password, is refused."""
    url = f"nats://127.0.0.1:{embedded.nats.config.port}"
    with pytest.raises(Exception, match=r"(?i)authorization"):
        await _connect(with_user(url, *login) if login else url)


def test_mongo_refuses_strangers_and_foreign_databases(embedded: EmbeddedServers) -> None:
    """Without a password nothing is readable, and the application's user sees its own database
    only.
    """
    port = embedded.mongo.config.port
    stranger = MongoClient[Document](f"mongodb://127.0.0.1:{port}/?directConnection=true")
    with stranger, pytest.raises(OperationFailure, match="requires authentication"):
        stranger.hive.kept.find_one()
    application = MongoClient[Document](embedded.mongo_url)
    with application, pytest.raises(OperationFailure, match="not authorized"):
        application.other.things.insert_one({})


@pytest.mark.parametrize(
    ("user", "subject", "allowed"),
    [
        ("gateway", "hive.journal.3.e1", True),
        ("gateway", "hive.event.audit.key.k1", True),
        ("gateway", "hive.task.any", False),
        ("gateway", "hive.event.execution.completed.e1", False),
        ("gateway", "$JS.API.STREAM.DELETE.JOURNAL", False),
        ("executor", "hive.task.any", True),
        ("executor", "hive.event.execution.completed.e1", True),
        ("executor", "somebody.else", False),
    ],
)
async def test_permissions(
    embedded: EmbeddedServers, user: str, subject: str, allowed: bool
) -> None:
    """Each service may publish what its job needs and nothing else."""
    errors: list[Exception] = []
    client = await _connect(embedded.nats_url(user), errors)
    await client.publish(subject, b"")
    await client.flush()
    await asyncio.sleep(0.05)
    await client.close()
    refused = any("permissions violation" in str(error).lower() for error in errors)
    assert refused is not allowed


def test_data_follows_a_change_of_ports(tmp_path: Path) -> None:
    """When the next start finds other ports, the servers keep their data."""
    with embedded_servers(tmp_path) as servers:
        with MongoClient[Document](servers.mongo_url) as client:
            client.hive.kept.insert_one({"_id": "one"})
        first_port = servers.mongo.config.port
    known = credentials.load(tmp_path / "servers.json")
    known.ports = {}
    known.save(tmp_path / "servers.json")
    with embedded_servers(tmp_path) as servers:
        assert servers.mongo.config.port != first_port
        with MongoClient[Document](servers.mongo_url) as client:
            assert client.hive.kept.count_documents({}) == 1


def test_secrets_are_private(embedded: EmbeddedServers) -> None:
    """Passwords and keys are readable by their owner only."""
    home = embedded.nats.config.folder.parent
    for name in ("servers.json", "nats/nats.conf", "mongo/key"):
        assert (home / name).stat().st_mode & 0o077 == 0, name
