"""Sends what waits in the spool, filtered. What cannot be sent stays.

A gateway that is away, a key that is not known, a rate that is too high: all that may pass. Only a
command that the gateway finds invalid (422) is given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from services.cli.outcome import CliError
from services.cli.recording.privacy import ignored
from services.cli.recording.spool import Batch, Item, Spool
from shared.learning.recorded_line import recorded_line

if TYPE_CHECKING:
    from services.cli.client import Gateway

PATH: Final = "/api/v1/commands"
AT_ONCE: Final = 200
"""Commands of one request: with the longest lines, less than the gateway's bound of a body."""
_INVALID: Final = 422


@dataclass(slots=True)
class Sent:
    """What became of commands. `why` is told where some were left out."""

    recorded: int = 0
    left_out: int = 0
    invalid: int = 0
    why: str = ""


def without_secrets(items: Iterable[Item]) -> Iterator[Item]:
    """The commands as they may leave this machine: without secrets, the first line alone; those
    that are not to be recorded are left out."""
    for item in items:
        if ignored(item["command"]):
            continue
        line = recorded_line(item["command"])
        if line.command:
            more = {"more_lines": True} if line.more_lines else {}
            yield {**item, "command": line.command, **more}


def send_spool(spool: Spool, gateway: Gateway) -> Sent:
    """Send what waits. Raises `CliError` at the first outage; what is not sent stays."""
    sent = Sent()
    with spool.sending() as mine:
        for batch in _in_order(spool.take()) if mine else ():
            send(without_secrets(batch.items), gateway, sent)
            spool.sent(batch)
    return sent


def send(items: Iterable[Item], gateway: Gateway, sent: Sent, user: str | None = None) -> None:
    """Send commands that are without secrets, and count what became of them. Raises `CliError`."""
    waiting = iter(items)
    while part := list(islice(waiting, AT_ONCE)):
        _send_part(part, gateway, sent, user)


def _send_part(part: list[Item], gateway: Gateway, sent: Sent, user: str | None) -> None:
    from shared.contracts.api.commands import CommandsRecorded

    body = {"commands": part} | ({"user": user} if user else {})
    try:
        answer = gateway.post(PATH, CommandsRecorded, body)
    except CliError as error:
        if error.status != _INVALID:
            raise
        if len(part) > 1:  # the others are not to blame
            for half in (part[: len(part) // 2], part[len(part) // 2 :]):
                _send_part(half, gateway, sent, user)
            return
        sent.invalid += 1
        sent.why = error.sentences()
        return
    sent.recorded += answer.recorded
    sent.left_out += answer.left_out
    sent.why = answer.why or sent.why


def _in_order(batches: list[Batch]) -> list[Batch]:
    """By when their first commands began."""
    return sorted(batches, key=lambda one: one.items[0].get("at_ms", 0) if one.items else 0)
