"""What each NATS user may do, judged by a real nats-server."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from ops.nats.permissions import JOURNALS, USER_NAMES
from ops.stack.servers import EmbeddedServers, embedded_servers
from shared.adapters.nats.captures import BLOBS_BYTES, NatsCaptures, set_room
from shared.adapters.nats.connection import Bus, connect, inbox_prefix
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.ports.captures import BlobNotFoundError, CapturesFullError, blob_name

EXECUTORS = ("coordinator", "runner", "executor")
LIMITED = (*EXECUTORS, "validator", "learning", "suggestion")
_SUBJECT = re.compile(r'"([^"]+)"')

ONLY_COORDINATORS = (
    "hive.timer.3.e1.retry",
    "hive.task.any._.e1.s.1.0",
    "hive.task.host.web-1.e1.s.1.0",
    "hive.event.execution.completed.e1",
    "hive.event.audit.key.k1",
    "hive.control.all.stop",
    "hive.control.agent.web-1.decided",
    "$KV.leases.partition.1",
    "$JS.API.STREAM.CREATE.TASKS",
    "$JS.API.STREAM.UPDATE.JOURNAL_0",
    "$JS.API.STREAM.PURGE.JOURNAL_0",
    "$JS.API.STREAM.PURGE.TASKS",
    "$JS.API.STREAM.PURGE.CAPTURES",
    "$JS.API.STREAM.PURGE.CAPTURE_BLOBS",
    "$JS.API.STREAM.UPDATE.CAPTURES",
    "$JS.API.DIRECT.GET.CAPTURES",
    "$JS.API.STREAM.MSG.DELETE.KV_leases",
    "$JS.API.CONSUMER.DURABLE.CREATE.JOURNAL_0.coordinator-1-x",
    "$JS.API.CONSUMER.DELETE.JOURNAL_0.coordinator-1-x",
    "$JS.API.CONSUMER.MSG.NEXT.JOURNAL_0.coordinator-1-x",
    "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.notifications",
    "$JS.ACK.JOURNAL_0.coordinator-1-x.1.1.1.1.1",
)
ONLY_RUNNERS = (
    "hive.log.e1.s.1",
    "hive.rpc.collective.remember",
    "hive.control.all.status",
    "hive.control.agent.web-1.sync",
    "$KV.agents.web-1",
    "$KV.bundles.b",
    "$O.bundle-contents.C.x",
    "hive.capture.manifest.e1.s.web-1",
    "hive.capture.blob.d1.x.1.0",
    "$JS.API.STREAM.MSG.GET.CAPTURE_BLOBS",
    "$JS.API.DIRECT.GET.CAPTURE_BLOBS",
    "$JS.API.DIRECT.GET.CAPTURE_BLOBS.hive.capture.blob.d1.x.1.0",
    "$JS.API.CONSUMER.DURABLE.CREATE.TASKS.pool-any-_",
    "$JS.API.STREAM.PURGE.OBJ_bundle-contents",
)
ALL_EXECUTORS = (
    "hive.journal.3.e1",
    "hive.control.agent.web-1.holds",
    "hive.rpc.claims.3",
    "_INBOX.gateway.x.1",
    "$JS.API.STREAM.INFO.TASKS",
    "$JS.API.STREAM.MSG.GET.CAPTURES",
    "$JS.API.CONSUMER.MSG.NEXT.TASKS.pool-any-_",
    "$JS.ACK.TASKS.pool-any-_.1.1.1.1.1",
)
NO_EXECUTOR = (
    "somebody.else",
    "hive.unknown.x",
    "$SYS.REQ.SERVER.PING",
    "$KV.other.x",
    "$O.other.x",
    "$SRV.PING",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.STREAM.PURGE.EVENTS",
    "$JS.API.STREAM.PURGE.KV_agents",
    "$JS.API.STREAM.MSG.DELETE.JOURNAL_0",
    "$JS.API.STREAM.MSG.DELETE.EVENTS",
    "$JS.API.STREAM.MSG.DELETE.CAPTURES",
    "$JS.API.STREAM.MSG.GET.LOGS",
    "$JS.API.CONSUMER.CREATE.CAPTURES",
    "$JS.API.CONSUMER.DELETE.TASKS.pool-any-_",
    "$JS.API.CONSUMER.CREATE.EVENTS",
    "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.webhooks",
    "$JS.API.CONSUMER.MSG.NEXT.EVENTS.webhooks",
    "$JS.ACK.EVENTS.webhooks.1.1.1.1.1",
    *(f"$JS.API.STREAM.DELETE.{s}" for s in ("JOURNAL_0", "TASKS", "EVENTS", "LOGS")),
    *(f"$JS.API.STREAM.DELETE.{s}" for s in ("CAPTURES", "CAPTURE_BLOBS", "KV_leases")),
)
PRECHECKS = ("hive.control.all.precheck", "hive.control.agent.web-1.precheck")
"""What a validator asks; runners may ask each other anything."""
DIRECTORY = "$JS.API.DIRECT.GET.KV_agents"
LOOK = "$JS.API.STREAM.INFO.TASKS"
REPLY = "_INBOX.gateway.x.1"
READS_RECORD = (
    "$JS.API.CONSUMER.CREATE.RECORD",
    "$JS.API.CONSUMER.DELETE.RECORD.x",
    "$JS.API.CONSUMER.MSG.NEXT.RECORD.x",
)
INSIGHT = "hive.event.insight.found.i1"
ADDS_TO_RECORD = ("hive.record.run.x", "hive.record.rollback.x", "hive.record.command.x")
"""What the learning service adds; what it keeps follows."""
KEEPS_RECORD = (
    *ADDS_TO_RECORD,
    INSIGHT,
    "$JS.API.STREAM.PURGE.RECORD",
    "$JS.API.STREAM.MSG.DELETE.RECORD",
    "$JS.API.CONSUMER.MSG.NEXT.EVENTS.learning",
    "$JS.ACK.EVENTS.learning.1.1.1.1.1",
)
SUGGESTION = "hive.event.suggestion.made.s1"
EVENTS_OF_SERVICES = {INSIGHT, SUGGESTION}
"""Coordinators publish every event."""
ONLY_GATEWAY = ("hive.record.feedback.x", "hive.record.forget.x")
EVERYTHING = (
    *READS_RECORD,
    *KEEPS_RECORD,
    SUGGESTION,
    *ONLY_GATEWAY,
    *PRECHECKS,
    DIRECTORY,
    *ONLY_COORDINATORS,
    *ONLY_RUNNERS,
    *ALL_EXECUTORS,
    *NO_EXECUTOR,
)

MAY_PUBLISH = {
    "coordinator": {DIRECTORY, *EVENTS_OF_SERVICES, *ONLY_COORDINATORS, *ALL_EXECUTORS},
    "runner": {DIRECTORY, *PRECHECKS, *ONLY_RUNNERS, *ALL_EXECUTORS},
    "executor": {
        DIRECTORY,
        *EVENTS_OF_SERVICES,
        *PRECHECKS,
        *ONLY_COORDINATORS,
        *ONLY_RUNNERS,
        *ALL_EXECUTORS,
    },
    "validator": {DIRECTORY, REPLY, *PRECHECKS},
    "learning": {LOOK, REPLY, *READS_RECORD, *KEEPS_RECORD},
    "suggestion": {DIRECTORY, LOOK, REPLY, *READS_RECORD, SUGGESTION},
}
SUBSCRIPTIONS = (
    "hive.control.all.stop",
    "hive.rpc.collective.remember",
    "hive.rpc.validator.look",
    "hive.rpc.learning.status",
    "hive.rpc.suggestion.suggest",
    "$SRV.PING",
    "hive.journal.>",
    "hive.task.>",
    "hive.event.>",
    "hive.log.>",
    "$KV.>",
    "_INBOX.>",
    *(f"_INBOX.{user}.>" for user in USER_NAMES),
    ">",
)
MAY_SUBSCRIBE = {
    "coordinator": {
        "hive.rpc.collective.remember",
        "hive.rpc.validator.look",
        "hive.rpc.learning.status",
        "hive.rpc.suggestion.suggest",
        "$SRV.PING",
        "_INBOX.coordinator.>",
    },
    "validator": {"hive.rpc.validator.look", "$SRV.PING", "_INBOX.validator.>"},
    "learning": {"hive.rpc.learning.status", "$SRV.PING", "_INBOX.learning.>"},
    "suggestion": {
        "hive.event.>",
        "hive.rpc.suggestion.suggest",
        "$SRV.PING",
        "_INBOX.suggestion.>",
    },
    "runner": {"hive.control.all.stop", "_INBOX.runner.>"},
    "executor": {
        "hive.control.all.stop",
        "hive.rpc.collective.remember",
        "hive.rpc.validator.look",
        "hive.rpc.learning.status",
        "hive.rpc.suggestion.suggest",
        "$SRV.PING",
        "_INBOX.executor.>",
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """A server with our users."""
    with embedded_servers(tmp_path_factory.mktemp("users")) as servers:
        yield servers


@pytest.fixture
async def admin(server: EmbeddedServers) -> AsyncIterator[Bus]:
    """Who may do everything; the streams are there."""
    bus = await connect(server.nats_url("admin"), "permissions test")
    await ensure_streams(bus)
    yield bus
    await bus.close()


async def _refused(server: EmbeddedServers, user: str, what: str) -> set[str]:
    """The subjects that a user is refused to publish to, or to subscribe to."""
    errors: list[str] = []

    async def record(error: Exception) -> None:
        errors.append(str(error))

    url = server.nats_url(user)
    client: Client = await nats.connect(url, error_cb=record, inbox_prefix=inbox_prefix(url))
    tried = EVERYTHING if what == "publish" else SUBSCRIPTIONS
    for subject in tried:
        if what == "publish":
            await client.publish(subject, b"", reply="_INBOX.nobody")
        else:
            await client.subscribe(subject)
    await client.flush()
    # Errors stand before the answer to the ping, and are handled in their own task.
    await client.flush()
    await client.close()
    # The driver gives the server's words in lower case.
    words = {match.group(1) for error in errors if (match := _SUBJECT.search(error))}
    return {subject for subject in tried if subject.lower() in words}


@pytest.mark.parametrize("user", LIMITED)
async def test_what_is_not_needed_cannot_be_published(server: EmbeddedServers, user: str) -> None:
    """Events, tasks, timers, orders and leases are the coordinator's; lines, announcements and
    files the runner's; a process with both roles may what either may; a validator asks agents
    what they would do; the learning service keeps the record and the suggestion service reads it;
    nobody may the rest."""
    assert await _refused(server, user, "publish") == set(EVERYTHING) - MAY_PUBLISH[user]


@pytest.mark.parametrize("user", LIMITED)
async def test_nobody_listens_to_others(server: EmbeddedServers, user: str) -> None:
    """An executor hears what it serves, and replies to its own questions only."""
    assert await _refused(server, user, "subscribe") == set(SUBSCRIPTIONS) - MAY_SUBSCRIBE[user]


async def test_a_runner_changes_nothing_of_the_engine(server: EmbeddedServers, admin: Bus) -> None:
    """What a runner sends to the streams of others is not stored, and what it asks JetStream to do
    to them is not done."""
    names = (*JOURNALS, "TASKS", "EVENTS")
    await admin.jetstream.publish("hive.event.execution.completed.kept", b"kept")
    before = {name: (await admin.jetstream.stream_info(name)).state for name in names}
    runner = await connect(server.nats_url("runner"), "a bad runner")
    for subject in ONLY_COORDINATORS:
        await runner.client.publish(subject, b"{}")
    short = runner.client.jetstream(timeout=0.2)
    for name in names:
        for change in (short.delete_stream, short.purge_stream):
            with pytest.raises(NatsError):
                await change(name)
    await runner.close()
    for name in names:
        state = (await admin.jetstream.stream_info(name)).state
        assert (state.last_seq, state.messages) == (before[name].last_seq, before[name].messages)


async def test_what_was_captured_stays(server: EmbeddedServers, admin: Bus) -> None:
    """An agent states once what was there before a step: the server itself refuses that it is
    stated anew, rolled up, or removed; housekeeping removes it."""
    subject = subjects.capture_manifest("e1", "s", "web-1")
    runner = await connect(server.nats_url("runner"), "a bad runner")
    short = runner.client.jetstream(timeout=0.5)
    await short.publish(subject, b"true")
    with pytest.raises(APIError, match="maximum messages per subject"):
        await short.publish(subject, b"false")
    for what in ("sub", "all"):
        with pytest.raises(APIError, match="rollup not permitted"):
            await short.publish(subject, b"false", headers={"Nats-Rollup": what})
    for name in (subjects.CAPTURES, subjects.CAPTURE_BLOBS):
        for change in (short.delete_stream, short.purge_stream):
            with pytest.raises(NatsError):
                await change(name)
    assert (await short.get_last_msg(subjects.CAPTURES, subject)).data == b"true"
    await runner.close()
    keeper = await connect(server.nats_url("coordinator"), "housekeeping")
    await NatsCaptures(keeper).forget("e1")
    assert (await admin.jetstream.stream_info(subjects.CAPTURES)).state.messages == 0
    assert (await NatsCaptures(keeper).sweep(0)).blobs == 0
    await keeper.close()


async def test_captures_are_bounded(server: EmbeddedServers, admin: Bus) -> None:
    """When there is no room for a content, its agent is told so, and nothing is thrown away."""
    coordinator = await connect(server.nats_url("coordinator"), "a coordinator")
    await set_room(coordinator, 3_000_000)
    assert (await NatsCaptures(coordinator).usage()).blob_limit_bytes == 3_000_000
    runner = await connect(server.nats_url("runner"), "an agent")
    store = NatsCaptures(runner)
    fits, large = os.urandom(1_000_000), os.urandom(2_500_000)
    await store.put_blob(blob_name(fits, 0), fits)
    with pytest.raises(CapturesFullError, match="no room"):
        await store.put_blob(blob_name(large, 0), large)
    assert await store.get_blob(blob_name(fits, 0)) == fits
    with pytest.raises(BlobNotFoundError, match="not whole"):
        await store.get_blob(blob_name(large, 0))
    await set_room(coordinator, 500_000)
    assert await store.get_blob(blob_name(fits, 0)) == fits
    await runner.close()
    await set_room(coordinator, BLOBS_BYTES)
    await coordinator.close()


async def test_replies_are_private(server: EmbeddedServers, admin: Bus) -> None:
    """Each user's questions carry a reply address that only this user may listen to."""
    seen: list[str] = []

    async def answer(message: Msg) -> None:
        seen.append(message.reply)
        await message.respond(b"yes")

    await admin.client.subscribe("hive.control.agent.x.holds", cb=answer)
    await admin.client.flush()
    for user in EXECUTORS:
        bus = await connect(server.nats_url(user), user)
        reply = await bus.client.request("hive.control.agent.x.holds", b"", timeout=5)
        assert reply.data == b"yes"
        assert seen[-1].startswith(f"_INBOX.{user}.")
        await bus.close()


def test_every_stream_of_the_journal_is_granted() -> None:
    """The permissions name as many streams of the journal as there are."""
    assert tuple(f"JOURNAL_{n}" for n in range(subjects.JOURNAL_STREAMS)) == JOURNALS
