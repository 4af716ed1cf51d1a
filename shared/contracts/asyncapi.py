"""The bus as AsyncAPI 3.0: channels, messages, and which service sends and receives what.

Addresses come from `shared.contracts.subjects`, by calling it with placeholders, so that the
document cannot say anything but what the code does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from shared.contracts import subjects
from shared.contracts.catalog import endpoints, named, verbs
from shared.version import VERSION

Json = dict[str, Any]

# Placeholders that pass through `subjects` unchanged, and what they stand for.
_PARTITION, _ATTEMPT, _LEG = 70_001, 70_002, 70_003
_PARAMETERS: Final = {
    str(_PARTITION): "partition",
    str(_ATTEMPT): "attempt",
    str(_LEG): "leg",
    "EXECUTION0ID": "execution",
    "STEP0ID": "step",
    "TIMER0NAME": "timer",
    "CAPABILITY0NAME": "capability",
    "AGENT0NAME": "agent",
    "CATEGORY0NAME": "category",
    "WHAT0HAPPENED": "what",
    "SUBJECT0ID": "id",
    "AUTOMATION0ID": "automation",
    "ABOUT0DIGEST": "about",
}
_EXECUTION, _STEP, _AGENT = "EXECUTION0ID", "STEP0ID", "AGENT0NAME"
_AUTOMATION: Final = "AUTOMATION0ID"
_ABOUT: Final = "ABOUT0DIGEST"
_RECORDED: Final = {
    "command": ("gateway", "learning"),
    "run": ("learning",),
    "rollback": ("learning",),
    "feedback": ("gateway",),
    "forget": ("gateway",),
}
_MEANINGS: Final = {
    "partition": f"0 to {subjects.PARTITIONS - 1}: CRC-32 of the execution's id, modulo "
    f"{subjects.PARTITIONS}.",
    "attempt": "Counts attempts at the step from 1.",
    "leg": "Counts resumptions of the attempt from 0.",
    "execution": "The execution's id.",
    "automation": "The id of a schedule.",
    "about": "A digest of whose it is, or of the execution that it is of.",
    "step": "The step's id in its template.",
    "timer": "The timer's name within the execution.",
    "capability": "A capability; what is not a letter, digit, `_` or `-` becomes `_`.",
    "agent": "The agent's name.",
    "category": "The first part of the event's type.",
    "what": "The second part of the event's type.",
    "id": "The id of what the event is about, mostly an execution.",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One subject: what goes over it, from and to which services; a stream, if it is stored.

    `reply` names the contract of the answer where it is a question.
    """

    name: str
    address: str
    message: str
    about: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    stream: str | None = None
    reply: str | None = None


def channels() -> Iterator[Channel]:
    """Every channel of the system."""
    yield from _stored()
    yield from _unstored()
    for verb in verbs():
        yield Channel(
            f"control_{verb.name}",
            subjects.control_agent(_AGENT, verb.name),
            named(verb.question),
            f"{_first_line(verb.question)} One agent is asked; `hive.control.all.{verb.name}` "
            "asks all.",
            ("gateway", "executor"),
            ("executor",),
            reply="control_reply",
        )
    for endpoint in endpoints():
        yield Channel(
            f"rpc_{endpoint.service}_{endpoint.name}".replace("-", "_"),
            subjects.rpc(endpoint.service, endpoint.name),
            named(endpoint.request),
            _first_line(endpoint.request),
            ("executor",),
            ("executor",),
            reply=named(endpoint.response),
        )


def _stored() -> Iterator[Channel]:
    journal = "JOURNAL_{partition modulo %d}" % subjects.JOURNAL_STREAMS  # noqa: UP031 - has braces
    leg = (_EXECUTION, _STEP, _ATTEMPT, _LEG)
    yield Channel(
        "journal",
        subjects.journal(_PARTITION, _EXECUTION),
        "journal_message",
        "Facts and requests about one execution: the only thing that moves it.",
        ("gateway", "executor"),
        ("executor",),
        journal,
    )
    yield Channel(
        "timer",
        subjects.timer(_PARTITION, _EXECUTION, "TIMER0NAME"),
        "journal_message",
        "A durable timer. Its header `Nats-Schedule` says when, its target is the journal subject "
        "of the execution.",
        ("executor",),
        (),
        journal,
    )
    yield Channel(
        "automation",
        subjects.journal(_PARTITION, _AUTOMATION),
        "automation_message",
        "Facts and requests about one schedule: the same journal, under the id of the schedule. "
        "Its timers lead there, too.",
        ("gateway", "executor"),
        ("executor",),
        journal,
    )
    pools = {
        "any": (subjects.pool_any(), "Tasks that any agent may take."),
        "capability": (
            subjects.pool_capability("CAPABILITY0NAME"),
            "Tasks for agents with a capability.",
        ),
        "host": (subjects.pool_host(_AGENT), "Tasks for one agent."),
    }
    for kind, (pool, about) in pools.items():
        address = subjects.task(pool, *leg)
        yield Channel(
            f"task_{kind}", address, "task", about, ("executor",), ("executor",), subjects.TASKS
        )
    yield Channel(
        "event",
        subjects.event("CATEGORY0NAME.WHAT0HAPPENED", "SUBJECT0ID"),
        "public_event",
        "What happened, after the engine decided it; in order for each execution.",
        ("executor", "gateway"),
        ("gateway",),
        subjects.EVENTS,
    )
    yield Channel(
        "log",
        subjects.log(_EXECUTION, _STEP, _ATTEMPT),
        "log_chunk",
        "Lines that a running command writes.",
        ("executor",),
        ("gateway",),
        subjects.LOGS,
    )
    yield from _record()


def _record() -> Iterator[Channel]:
    for kind, senders in _RECORDED.items():
        yield Channel(
            f"record_{kind}",
            subjects.record(kind, "").rpartition(".")[0] + f".{_ABOUT}",
            "record",
            f"Items of the record of type `{kind}`: what is learned from, in one order.",
            senders,
            ("learning", "suggestion"),
            subjects.RECORD,
        )


def _unstored() -> Iterator[Channel]:
    yield Channel(
        "stop",
        subjects.control_all("stop"),
        "stop_order",
        "Stop one leg of an attempt; whoever runs it reports with proof.",
        ("executor",),
        ("executor",),
    )
    yield Channel(
        "decided",
        subjects.control_agent(_AGENT, "decided"),
        "claim_decisions",
        "What became of this agent's claims: whether it may start what it claimed.",
        ("executor",),
        ("executor",),
    )
    yield Channel(
        "holds",
        subjects.control_agent(_AGENT, "holds"),
        "claim_question",
        "Does this agent run this attempt? Answered by the plain text `yes` or `no`.",
        ("executor",),
        ("executor",),
    )
    yield Channel(
        "claims",
        subjects.rpc("claims", str(_PARTITION)),
        "claim_question",
        "A runner in doubt asks the partition's coordinator whether an attempt may start.",
        ("executor",),
        ("executor",),
        reply="claim_answer",
    )


def render() -> str:
    """The document as YAML."""
    every = sorted(channels(), key=lambda channel: channel.name)
    document: Json = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "hAIveMind Workflows: the bus",
            "version": VERSION,
            "description": "Written by `./hv proto` from shared/contracts; change it there. How "
            "the subjects are stored and who may use them: docs/ARCHITECTURE.md, ops/nats.",
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {"host": "127.0.0.1:4222", "protocol": "nats"}},
        "channels": {channel.name: _channel(channel) for channel in every} | _replies(every),
        "operations": dict(_operations(every)),
        "components": {"messages": _messages(every)},
    }
    return str(yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True))


def _channel(channel: Channel) -> Json:
    address = channel.address
    for placeholder, parameter in _PARAMETERS.items():
        address = address.replace(placeholder, f"{{{parameter}}}")
    used = re.findall(r"\{(\w+)\}", address)
    stored = f" Stored in the stream `{channel.stream}`." if channel.stream else ""
    form: Json = {
        "address": address,
        "description": channel.about + stored,
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
    }
    if used:
        form["parameters"] = {name: {"description": _MEANINGS[name]} for name in used}
    return form


def _replies(every: list[Channel]) -> Json:
    """Channels without an address: the inbox of whoever asked."""
    return {
        f"{channel.name}_reply": {
            "address": None,
            "description": f"Answers to `{channel.name}`, to the inbox of whoever asked.",
            "messages": {channel.reply: {"$ref": f"#/components/messages/{channel.reply}"}},
        }
        for channel in every
        if channel.reply
    }


def _operations(every: list[Channel]) -> Iterator[tuple[str, Json]]:
    for channel in every:
        for action, services in (("send", channel.senders), ("receive", channel.receivers)):
            for service in services:
                operation: Json = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{channel.name}"},
                    "tags": [{"name": service}],
                }
                if channel.reply:
                    operation["reply"] = {
                        "address": {"location": "$message.header#/reply-to"},
                        "channel": {"$ref": f"#/channels/{channel.name}_reply"},
                    }
                yield f"{service}_{action}_{channel.name}", operation


def _messages(every: list[Channel]) -> Json:
    names = {channel.message for channel in every} | {c.reply for c in every if c.reply}
    return {
        name: {"name": name, "payload": {"$ref": f"schemas/{name}.json"}} for name in sorted(names)
    }


def _first_line(model: type[Any]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]
