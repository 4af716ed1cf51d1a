"""What people and agents ran enters the record; what they want forgotten leaves it.

Law: nothing of a user who has opted out is recorded, whoever sends it; no secret that the filter
knows is; a user's id for a command is that user's alone.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Final

from services.gateway import problems
from services.gateway.operations.refusals import answered_by_a_service
from services.gateway.parts import Parts
from services.gateway.permissions import Permission, Principal
from services.gateway.rates import RateLimiter
from services.gateway.settings import GatewaySettings
from shared.contracts.api.commands import (
    CommandsRecorded,
    ForgetAccepted,
    ForgetCommands,
    NewCommand,
    NewCommands,
    RecordingView,
    RecordingWanted,
)
from shared.contracts.learning import MEANT_LINES_LIMIT, MeantLines, MeantLinesQuestion
from shared.learning.recorded_line import RecordedLine, recorded_line
from shared.learning.records import Forget, RecordedCommand
from shared.ports.recording import RecordingChoice
from shared.runtime.recording_meter import RecordingMeter

CHARACTERS_OF_ONE: Final = 200
"""Characters of a command that count as another one against the rate."""


class Recording:
    """Operations on the record of commands."""

    def __init__(self, parts: Parts, settings: GatewaySettings) -> None:
        self._record = parts.record
        self.meter: RecordingMeter | None = None
        self._learning = parts.learning
        self._clock = parts.clock
        self._ids = parts.ids
        self._burst = settings.gateway_commands_burst
        self._limiter = RateLimiter(
            settings.gateway_commands_per_s, settings.gateway_commands_burst, what="commands"
        )

    async def add(self, given: NewCommands, principal: Principal) -> CommandsRecorded:
        """Record commands, in order. Raises 403, 429 and 503; after a 503 the same again is
        right."""
        user = _user(given.user, principal, "user")
        self._limiter.take(principal.key_id, self._cost(given))
        if not (await self.choice(user, principal)).on:
            if self.meter is not None:
                self.meter.left_out(len(given.commands))
            return CommandsRecorded(
                recorded=0,
                left_out=len(given.commands),
                why=f"{user} has opted out of recording; PUT /api/v1/commands/recording with "
                '{"on": true} ends that.',
            )
        ids = [one.id or self._ids.new("cmd") for one in given.commands]
        # Beside the loop: a thousand long lines are looked at for seconds.
        lines = await asyncio.to_thread(_recorded_lines, given)
        now_ms = self._clock.now_ms()
        items = [
            _item(one, line, user, item_id, now_ms)
            for one, line, item_id in zip(given.commands, lines, ids, strict=True)
        ]
        await self._record.sink.add(items)
        masked = sum(line.masked for line in lines)
        if self.meter is not None:
            self.meter.accepted(len(items), masked)
        return CommandsRecorded(recorded=len(items), masked=masked, ids=tuple(ids))

    def _cost(self, given: NewCommands) -> float:
        """What is taken of the caller's rate: a command, and one for each 200 characters of it."""
        characters = sum(len(one.command) for one in given.commands)
        return min(self._burst, len(given.commands) + characters // CHARACTERS_OF_ONE)

    async def forget(self, given: ForgetCommands, principal: Principal) -> ForgetAccepted:
        """Order that something is forgotten. Raises 403, 422 and 503."""
        if given.matching is not None:
            user = _user(given.user, principal, "user")
            return await self._forget_matching(given.matching, user, given.preview, principal)
        user = "" if given.everybody else _user(given.user, principal, "user")
        if given.everybody:
            _needs_operator(principal, "what everybody ran")
        line = recorded_line(given.command).command if given.command is not None else ""
        order = self._order(principal, user, line)
        await self._record.sink.add([order])
        return ForgetAccepted(id=order.id, user=user, command=line)

    async def _forget_matching(
        self, pattern: str, user: str, preview: bool, principal: Principal
    ) -> ForgetAccepted:
        """Order that each line is forgotten that a pattern means now, or only tell what it means.
        Raises 422 where it means too many."""
        meant = await self._meant(MeantLinesQuestion(user=user, pattern=pattern))
        answer = ForgetAccepted(
            id="", user=user, matching=pattern, lines=len(meant.lines), items=meant.items
        )
        if preview:
            shown = meant.examples if user == principal.name else ()
            more = {"preview": True, "more": meant.more, "examples": shown}
            return answer.model_copy(update=more)
        if meant.more:
            raise problems.invalid_field(
                "matching",
                f"it means more than {MEANT_LINES_LIMIT} different lines",
                "narrow it, or forget everything",
            )
        orders = [self._order(principal, user, digest) for digest in meant.lines]
        await self._record.sink.add(orders)
        return answer.model_copy(update={"id": orders[0].id if orders else ""})

    async def _meant(self, question: MeantLinesQuestion) -> MeantLines:
        with answered_by_a_service():
            return await self._learning.meant_lines(question)

    def _order(self, principal: Principal, user: str, line: str) -> Forget:
        return Forget(
            id=self._ids.new("fg"),
            at_ms=self._clock.now_ms(),
            by=principal.name,
            user=user,
            command=line,
        )

    async def choice(self, user: str | None, principal: Principal) -> RecordingView:
        """Whether a user's commands are recorded. Raises 403."""
        whose = _user(user, principal, "user")
        chosen = await self._record.choices.of(whose)
        if chosen is None:
            return RecordingView(user=whose, on=True)
        return RecordingView(user=whose, on=chosen.on, since_ms=chosen.at_ms, by=chosen.by)

    async def choose(self, wanted: RecordingWanted, principal: Principal) -> RecordingView:
        """Record a user's commands from now on, or do not. Raises 403."""
        whose = _user(wanted.user, principal, "user")
        now_ms = self._clock.now_ms()
        await self._record.choices.choose(RecordingChoice(whose, wanted.on, now_ms, principal.name))
        return RecordingView(user=whose, on=wanted.on, since_ms=now_ms, by=principal.name)


def _recorded_lines(given: NewCommands) -> list[RecordedLine]:
    return [recorded_line(one.command) for one in given.commands]


def _item(
    given: NewCommand, line: RecordedLine, user: str, item_id: str, now_ms: int
) -> RecordedCommand:
    kept = given.model_dump(exclude={"id", "command", "at_ms", "more_lines"})
    own = sha256(f"{len(user)}:{user}{item_id}".encode()).hexdigest()
    return RecordedCommand(
        id=f"cmd_{own[:32]}",
        at_ms=min(given.at_ms, now_ms) if given.at_ms is not None else now_ms,
        user=user,
        command=line.command,
        more_lines=line.more_lines or given.more_lines,
        **kept,
    )


def _user(wanted: str | None, principal: Principal, field: str) -> str:
    if wanted is None or wanted == principal.name:
        return principal.name
    _needs_operator(principal, f"the commands of {wanted!r} (field {field!r})")
    return wanted


def _needs_operator(principal: Principal, what: str) -> None:
    if not principal.may(Permission.RUN):
        raise problems.problem(
            "forbidden",
            f"Key {principal.name!r} records and forgets its own commands only, not {what}; an "
            "operator's key may.",
        )
