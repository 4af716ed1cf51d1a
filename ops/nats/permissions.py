"""Who may do what on NATS, in one table.

The embedded stack and the Docker image both render their `authorization` block from `USERS`, so
that what holds on a laptop holds in production. Every user gets the least that its service needs:

* The gateway asks (`hive.journal`) and listens (`hive.event`); it cannot hand out work or state
  facts about executions. The exceptions are the events it owns: its audit trail, agents and their
  answers to delegations, broadcasts and memories that people make, webhooks.
* The executor moves executions, so it publishes everywhere in `hive.>`.
* The admin is for operators and tests; no service holds its password.

Replies go to `_INBOX.>`. It is granted by name and not by `allow_responses`, which makes the server
keep a record for each delivered message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

# Reads of streams and consumers, acknowledgements, flow control, key-value buckets, object store,
# discovery of micro-services, replies.
_JETSTREAM_PUBLISH = (
    "$JS.API.>",
    "$JS.ACK.>",
    "$JS.FC.>",
    "$KV.>",
    "$O.>",
    "$SRV.>",
    "_INBOX.>",
)
_JETSTREAM_SUBSCRIBE = ("$KV.>", "$O.>", "$SRV.>", "_INBOX.>")


@dataclass(frozen=True, slots=True)
class User:
    """One NATS user and the subjects it may publish to and subscribe to; denials win."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deny_publish: tuple[str, ...] = ()


USERS: tuple[User, ...] = (
    User(
        name="gateway",
        publish=(
            "hive.journal.>",
            "hive.control.>",
            "hive.event.audit.>",
            "hive.event.agent.>",
            "hive.event.broadcast.>",
            "hive.event.delegation.>",
            "hive.event.memory.>",
            "hive.event.webhook.>",
            *_JETSTREAM_PUBLISH,
        ),
        subscribe=("hive.event.>", "hive.log.>", "hive.control.>", *_JETSTREAM_SUBSCRIBE),
        deny_publish=("$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.MSG.DELETE.>"),
    ),
    User(
        name="executor",
        publish=(
            "hive.journal.>",
            "hive.timer.>",
            "hive.task.>",
            "hive.event.>",
            "hive.log.>",
            "hive.control.>",
            "hive.rpc.>",
            *_JETSTREAM_PUBLISH,
        ),
        subscribe=(
            "hive.control.>",
            "hive.rpc.>",
            "hive.log.>",
            "hive.event.>",
            *_JETSTREAM_SUBSCRIBE,
        ),
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
