"""Concurrency keys as a coordinator moves them."""

from __future__ import annotations

import structlog

from services.executor.coordinator.actors_in_hand import ActorsInHand
from shared.contracts.actors import StoredKey
from shared.ports.actors import KeyStateStore
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry
from shared.workflow.concurrency_key import KEY_MESSAGE, KeyState, SlotFreed, is_key, key_turn

log = structlog.get_logger()


class ConcurrencyKeys(ActorsInHand[StoredKey]):
    """Applies entries about keys; of a key that nobody uses nothing is kept in hand."""

    def __init__(self, store: KeyStateStore, effects: Effects) -> None:
        super().__init__(StoredKey, store)
        self._effects = effects

    def owns(self, identifier: str) -> bool:
        """True for the id of a key."""
        return is_key(identifier)

    def _is_idle(self, state: KeyState) -> bool:
        return state.is_idle

    def _turn(self, before: KeyState | None, raw: RawEntry) -> KeyState | None:
        message = KEY_MESSAGE.validate_json(raw.payload)
        if isinstance(message, SlotFreed) and message.by is not None:
            log.warning("slot released", key=raw.execution_id, **message.model_dump(mode="json"))
        state, told = key_turn(before, raw.execution_id, message, raw.at_ms, raw.seq)
        for tell in told:
            self._effects.append(tell.execution_id, tell.message, tell.message_id)
        return state
