"""Who may do what on NATS, in one table.

The embedded stack and the Docker image both render their `authorization` block from `USERS`, so
that what holds on a laptop holds in production. Every user gets the least that its service needs:

* The gateway asks (`hive.journal`) and listens (`hive.event`); it cannot hand out work or state
  facts about executions. The exceptions are the events it owns: its audit trail, agents and their
  answers to delegations, broadcasts and memories that people make, webhooks.
* A coordinator moves executions: it states facts, hands out tasks, publishes events, and makes the
  streams and buckets. It serves the collective, and cannot act as an agent: no progress lines, no
  announcement, no files for distribution.
* A runner takes tasks from the pools, states in the journal what became of them, sends progress
  lines, announces itself and asks and answers other agents. It states what was there before a step
  changes it, and reads it; what is stated once the server lets nobody replace, and only
  coordinators remove it. It cannot publish events, hand out tasks, set timers, order others to
  stop, decide claims, take a partition, or make, change, empty or delete the streams of the engine.
* The validator asks agents what they would do (`precheck`), and reads their directory. It cannot
  state, order or change anything.
* A rollback service takes what the engine asks of it from one pool, reads what was captured,
  answers in the journal, and serves its endpoints. It cannot hand out work, publish events, or
  change what was captured.
* The learning service reads the record, adds runs and the commands of steps to it, removes from it
  what is to be forgotten, and listens to public events. The suggestion service reads the record and
  listens to events and
  publishes its suggestions as some. Neither can start, order or change anything of executions.
* The executor is a process with both roles: it may what either may.
* The admin is for operators and tests; no service holds its password.

What subjects cannot express: all runners are one user, so one can take another's name in the
directory and state results of another's tasks; only the content of the journal's messages names
agents. A consumer can be told to deliver to any subject, and runners make the consumers of their
pools and read the object store through one.

Replies go to `_INBOX.<user>.>`, so nobody reads the answers to another user's questions. Sending
them is granted by name and not by `allow_responses`, which makes the server keep a record for each
delivered message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

JOURNALS = ("JOURNAL_0",)
"""Streams of the journal; as many as `shared.contracts.subjects.JOURNAL_STREAMS`."""
_STREAMS = (*JOURNALS, "TASKS", "EVENTS", "LOGS", "RECORD", "KV_agents", "KV_leases")
_BUNDLES = ("KV_bundles", "OBJ_bundle-contents")
_CAPTURES = ("CAPTURES", "CAPTURE_BLOBS")
_ROLLBACK_POOL = "pool-rollback-_"
"""The consumer of the tasks of rollback services."""
_API = "$JS.API"


@dataclass(frozen=True, slots=True)
class User:
    """One NATS user and the subjects it may publish to and subscribe to; denials win."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deny_publish: tuple[str, ...] = ()


def _each(api: str, streams: tuple[str, ...], rest: str = "") -> tuple[str, ...]:
    """A request to JetStream about each of some streams."""
    return tuple(f"{_API}.{api}.{stream}{rest}" for stream in streams)


def _consumers(streams: tuple[str, ...], consumer: str = "*") -> tuple[str, ...]:
    """Look at consumers, pull from them, acknowledge."""
    return (
        *_each("CONSUMER.INFO", streams, f".{consumer}"),
        *_each("CONSUMER.MSG.NEXT", streams, f".{consumer}"),
        *(f"$JS.ACK.{stream}.{consumer}.>" for stream in streams),
    )


def _making(stream: str, consumer: str = "*") -> str:
    """Make a durable consumer."""
    return f"{_API}.CONSUMER.DURABLE.CREATE.{stream}.{consumer}"


def _reading(streams: tuple[str, ...]) -> tuple[str, ...]:
    """Read streams in order through consumers of one's own, which end by themselves."""
    return (
        *_each("CONSUMER.CREATE", streams),
        *_each("CONSUMER.CREATE", streams, ".>"),
        *_each("CONSUMER.DELETE", streams, ".*"),
        *_each("CONSUMER.INFO", streams, ".*"),
        *_each("CONSUMER.MSG.NEXT", streams, ".*"),
    )


# What streams there are and how much they hold is no secret among executors.
_LOOK = (f"{_API}.STREAM.LIST", f"{_API}.STREAM.NAMES", f"{_API}.STREAM.INFO.*", "_INBOX.>")

_COORDINATOR = User(
    name="coordinator",
    publish=(
        "hive.journal.>",
        "hive.timer.>",
        "hive.task.>",
        "hive.event.>",
        "hive.control.all.stop",
        "hive.control.all.broadcast",
        "hive.control.agent.*.holds",
        "hive.control.agent.*.decided",
        "hive.rpc.claims.*",
        "$KV.leases.>",
        *_LOOK,
        *_each("STREAM.CREATE", (*_STREAMS, *_BUNDLES, *_CAPTURES)),
        *_each("STREAM.UPDATE", (*_STREAMS, *_BUNDLES, *_CAPTURES)),
        *_each("STREAM.PURGE", (*JOURNALS, "TASKS", *_CAPTURES)),
        *_each("STREAM.MSG.GET", (*JOURNALS, "KV_leases", "CAPTURES")),
        *_each("STREAM.MSG.DELETE", ("KV_leases",)),
        *_each("DIRECT.GET", ("KV_leases", "KV_agents", "CAPTURES")),
        *_each("DIRECT.GET", (*JOURNALS, "KV_leases"), ".>"),
        *_each("CONSUMER.LIST", (*JOURNALS, "TASKS")),
        *_each("CONSUMER.NAMES", JOURNALS),
        *_consumers((*JOURNALS, "TASKS")),
        *_consumers(("EVENTS",), "notifications"),
        *(_making(journal) for journal in JOURNALS),
        *_each("CONSUMER.DELETE", JOURNALS, ".*"),
        _making("EVENTS", "notifications"),
    ),
    subscribe=("hive.rpc.>", "$SRV.>", "_INBOX.coordinator.>"),
)

_RUNNER = User(
    name="runner",
    publish=(
        "hive.journal.>",
        "hive.log.>",
        "hive.rpc.>",
        "hive.control.>",
        "$KV.agents.>",
        "$KV.bundles.>",
        "$O.bundle-contents.>",
        "hive.capture.>",
        *_LOOK,
        *_each("STREAM.MSG.GET", (*JOURNALS, *_BUNDLES, *_CAPTURES)),
        *_each("DIRECT.GET", ("KV_agents", "KV_bundles", "CAPTURE_BLOBS")),
        *_each("DIRECT.GET", ("KV_agents", *_BUNDLES, "CAPTURE_BLOBS"), ".>"),
        *_each("STREAM.PURGE", ("OBJ_bundle-contents",)),
        *_consumers(("TASKS", "OBJ_bundle-contents")),
        _making("TASKS"),
        f"{_API}.CONSUMER.CREATE.OBJ_bundle-contents",
        f"{_API}.CONSUMER.DELETE.OBJ_bundle-contents.*",
        "$JS.FC.OBJ_bundle-contents.>",
    ),
    subscribe=("hive.control.>", "_INBOX.runner.>"),
    deny_publish=("hive.control.all.stop", "hive.control.agent.*.decided"),
)

USERS: tuple[User, ...] = (
    User(
        name="gateway",
        publish=(
            "hive.journal.>",
            "hive.control.>",
            "hive.rpc.validator.look",
            "hive.event.audit.>",
            "hive.event.agent.>",
            "hive.event.broadcast.>",
            "hive.event.delegation.>",
            "hive.event.memory.>",
            "hive.event.webhook.>",
            "hive.rpc.rollback.*",
            "hive.rpc.suggestion.*",
            "hive.rpc.learning.*",
            "hive.record.command.*",
            "hive.record.feedback.*",
            "hive.record.forget.*",
            "$JS.API.>",
            "$JS.ACK.>",
            "$JS.FC.>",
            "$KV.>",
            "$O.>",
            "$SRV.>",
            "_INBOX.>",
        ),
        subscribe=(
            "hive.event.>",
            "hive.log.>",
            "hive.control.>",
            "$KV.>",
            "$O.>",
            "$SRV.>",
            "_INBOX.gateway.>",
        ),
        deny_publish=(
            "$JS.API.STREAM.DELETE.>",
            "$JS.API.STREAM.MSG.DELETE.>",
            "hive.control.agent.*.decided",
        ),
    ),
    _COORDINATOR,
    _RUNNER,
    User(
        name="validator",
        publish=(
            "hive.control.all.precheck",
            "hive.control.agent.*.precheck",
            f"{_API}.DIRECT.GET.KV_agents",
            "_INBOX.>",
        ),
        subscribe=("hive.rpc.validator.>", "$SRV.>", "_INBOX.validator.>"),
    ),
    User(
        name="executor",
        publish=tuple(dict.fromkeys((*_COORDINATOR.publish, *_RUNNER.publish))),
        subscribe=("hive.control.>", "hive.rpc.>", "$SRV.>", "_INBOX.executor.>"),
    ),
    User(
        name="rollback",
        publish=(
            "hive.journal.>",
            *_LOOK,
            *_consumers(("TASKS",), _ROLLBACK_POOL),
            _making("TASKS", _ROLLBACK_POOL),
            "hive.capture.manifest.*._fence.*",
            *_each("DIRECT.GET", ("CAPTURES",)),
            *_each("STREAM.MSG.GET", ("CAPTURES",)),
        ),
        subscribe=("hive.rpc.rollback.*", "$SRV.>", "_INBOX.rollback.>"),
    ),
    User(
        name="learning",
        publish=(
            "hive.record.run.*",
            "hive.record.rollback.*",
            "hive.record.command.*",
            "hive.event.insight.>",
            "hive.event.memory.remembered.*",
            *_LOOK,
            *_reading(("RECORD",)),
            *_consumers(("EVENTS",), "learning"),
            _making("EVENTS", "learning"),
            *_each("STREAM.PURGE", ("RECORD",)),
            *_each("STREAM.MSG.DELETE", ("RECORD",)),
            "$KV.leases.learning",
            *_each("STREAM.MSG.GET", ("KV_leases",)),
        ),
        subscribe=("hive.rpc.learning.*", "$SRV.>", "_INBOX.learning.>"),
    ),
    User(
        name="suggestion",
        publish=(
            "hive.event.suggestion.>",
            f"{_API}.DIRECT.GET.KV_agents",
            *_LOOK,
            *_reading(("RECORD",)),
        ),
        subscribe=("hive.event.>", "hive.rpc.suggestion.*", "$SRV.>", "_INBOX.suggestion.>"),
    ),
    User(name="admin", publish=(">",), subscribe=(">",)),
)

USER_NAMES: tuple[str, ...] = tuple(user.name for user in USERS)


def render_authorization(passwords: Mapping[str, str]) -> str:
    """Return the `authorization` block of a nats-server configuration.

    `passwords` maps every name in `USER_NAMES` to its password, or to a reference such as
    `$GATEWAY_PASSWORD` that nats-server resolves from its environment. Raises `KeyError` when one
    is missing.
    """
    users = ",\n".join(_render_user(user, passwords[user.name]) for user in USERS)
    return f"authorization {{\n  users = [\n{users}\n  ]\n}}\n"


def _render_user(user: User, password: str) -> str:
    secret = password if password.startswith("$") else json.dumps(password)
    publish = f"allow = {_list(user.publish)}"
    if user.deny_publish:
        publish += f", deny = {_list(user.deny_publish)}"
    return (
        f"    {{ user = {json.dumps(user.name)}, password = {secret}, permissions = {{\n"
        f"      publish = {{ {publish} }},\n"
        f"      subscribe = {{ allow = {_list(user.subscribe)} }} }} }}"
    )


def _list(subjects: tuple[str, ...]) -> str:
    return json.dumps(list(subjects))
