"""A concurrency key: who has a slot of it, and who waits. Pure; an actor in the journal of its own.

The law:

* Slots are granted in the order in which they were asked for, while fewer are taken than the first
  one who waits allows.
* `reject` is refused when it would have to wait. `replace` revokes those who have had a slot
  longest, until one will be free for it, and whoever waits.
* Asking twice, or giving back what is not held, changes nothing. So deliveries may be repeated.
* What is told is told under an id that follows from the turn's number, so that a turn decided
  again says the same once.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.workflow.flow import OnConflict
from shared.workflow.messages import (
    Actor,
    Message,
    SlotGranted,
    SlotMessage,
    SlotRefused,
    SlotRevoked,
)

PREFIX: Final = "ck_"
MAX_WAITING: Final = 1_000


class SlotWanted(Message):
    """An execution, or a step of one, needs a slot."""

    type: Literal["slot_wanted"] = "slot_wanted"
    key: str
    execution_id: str
    slot: str
    limit: int
    on_conflict: OnConflict = "queue"


class SlotFreed(Message):
    """It needs none any more. `by`: a person says so, for an execution that never will."""

    type: Literal["slot_freed"] = "slot_freed"
    execution_id: str
    slot: str
    by: Actor | None = None
    reason: str = ""


KeyMessage = Annotated[SlotWanted | SlotFreed, Field(discriminator="type")]
KEY_MESSAGE: TypeAdapter[KeyMessage] = TypeAdapter(KeyMessage)


class Holder(BaseModel):
    """Who has a slot. `revoked`: it was told to give it back."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    slot: str
    since_ms: int
    revoked: bool = False


class Waiter(BaseModel):
    """Who waits for one."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    slot: str
    since_ms: int
    limit: int


class KeyState(BaseModel):
    """One key. `limit` is that of who asked last."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["key"] = "key"
    id: str
    key: str
    limit: int = 1
    holders: tuple[Holder, ...] = ()
    waiting: tuple[Waiter, ...] = ()
    changed_at_ms: int = 0

    def knows(self, execution_id: str, slot: str) -> bool:
        """True when it has a slot, or waits for one."""
        who = (execution_id, slot)
        return who in {*map(_who, self.holders), *map(_who, self.waiting)}

    @property
    def status(self) -> Literal["active", "deleted"]:
        """`deleted` when nobody needs it any more."""
        return "deleted" if self.is_idle else "active"

    @property
    def is_idle(self) -> bool:
        """True when nobody has a slot or waits for one."""
        return not (self.holders or self.waiting)


class Tell(NamedTuple):
    """A message for the journal of an execution."""

    execution_id: str
    message: SlotMessage
    message_id: str


def key_id(key: str) -> str:
    """The id under which a key stands in the journal."""
    return PREFIX + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:26]


def is_key(identifier: str) -> bool:
    """True for the id of a concurrency key."""
    return identifier.startswith(PREFIX)


def key_turn(
    state: KeyState | None, identifier: str, message: SlotWanted | SlotFreed, at_ms: int, seq: int
) -> tuple[KeyState | None, tuple[Tell, ...]]:
    """The key after the message that is number `seq` in its journal, and what executions are told.

    What is told is named by that number: the state of a key that nobody needs is forgotten, so
    nothing that is counted in it would be unlike what was said before.
    """
    if isinstance(message, SlotWanted):
        turn = _Turn(state or KeyState(id=identifier, key=message.key), at_ms, seq)
        turn.wanted(message)
    elif state is None:
        return None, ()
    else:
        turn = _Turn(state, at_ms, seq)
        turn.freed(message)
    return turn.outcome()


class _Turn:
    """One message about one key."""

    def __init__(self, before: KeyState, at_ms: int, seq: int) -> None:
        self._before = before
        self._at_ms = at_ms
        self._seq = seq
        self._holders = list(before.holders)
        self._waiting = list(before.waiting)
        self._limit = before.limit
        self._told: list[tuple[str, SlotMessage]] = []

    def wanted(self, message: SlotWanted) -> None:
        if self._before.knows(message.execution_id, message.slot):
            return
        self._limit = message.limit
        if len(self._holders) >= message.limit or self._waiting:
            if message.on_conflict == "reject":
                self._refuse(message, f"all {message.limit} slots of {message.key!r} are taken")
                return
            if message.on_conflict == "replace":
                self._make_room(message)
            elif len(self._waiting) >= MAX_WAITING:
                self._refuse(message, f"{MAX_WAITING} wait for {message.key!r} already")
                return
        waiter = Waiter(
            execution_id=message.execution_id,
            slot=message.slot,
            since_ms=self._at_ms,
            limit=message.limit,
        )
        self._waiting.append(waiter)
        self._grant()

    def freed(self, message: SlotFreed) -> None:
        who = (message.execution_id, message.slot)
        self._holders = [one for one in self._holders if _who(one) != who]
        self._waiting = [one for one in self._waiting if _who(one) != who]
        self._grant()

    def outcome(self) -> tuple[KeyState, tuple[Tell, ...]]:
        """The state, the same one where nothing changed."""
        changes: dict[str, Any] = {
            "holders": tuple(self._holders),
            "waiting": tuple(self._waiting),
            "limit": self._limit,
        }
        unchanged = all(getattr(self._before, name) == value for name, value in changes.items())
        if unchanged and not self._told:
            return self._before, ()
        state = self._before.model_copy(update={**changes, "changed_at_ms": self._at_ms})
        told = tuple(
            Tell(execution, message, f"{state.id}.{self._seq}.{number}")
            for number, (execution, message) in enumerate(self._told)
        )
        return state, told

    def _grant(self) -> None:
        while self._waiting and len(self._holders) < self._waiting[0].limit:
            first = self._waiting.pop(0)
            holder = Holder(execution_id=first.execution_id, slot=first.slot, since_ms=self._at_ms)
            self._holders.append(holder)
            self._tell(first.execution_id, SlotGranted(slot=first.slot, key=self._before.key))

    def _make_room(self, message: SlotWanted) -> None:
        """Tell who shall give way; their slots are free once they have."""
        reason = f"replaced by {message.execution_id}, which needs {message.key!r}"
        staying = [one for one in self._holders if not one.revoked]
        going = {_who(one) for one in staying[: max(0, len(staying) - message.limit + 1)]}
        for waiter in self._waiting:
            self._revoke(waiter, reason)
        self._waiting.clear()
        for number, holder in enumerate(self._holders):
            if _who(holder) in going:
                self._revoke(holder, reason)
                self._holders[number] = holder.model_copy(update={"revoked": True})

    def _revoke(self, one: Holder | Waiter, reason: str) -> None:
        revoked = SlotRevoked(slot=one.slot, key=self._before.key, reason=reason)
        self._tell(one.execution_id, revoked)

    def _refuse(self, message: SlotWanted, reason: str) -> None:
        refused = SlotRefused(slot=message.slot, key=message.key, reason=reason)
        self._tell(message.execution_id, refused)

    def _tell(self, execution_id: str, message: SlotMessage) -> None:
        self._told.append((execution_id, message))


def _who(one: Holder | Waiter) -> tuple[str, str]:
    return one.execution_id, one.slot
