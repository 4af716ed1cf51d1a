"""Rollbacks as a coordinator moves them: actors in the journal, one for each execution."""

from __future__ import annotations

from services.executor.coordinator.actors_in_hand import ActorsInHand
from shared.contracts import subjects
from shared.contracts.actors import StoredRollback
from shared.contracts.rollbacks import planning_task
from shared.ports.actors import RollbackStore
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry
from shared.rollback.law import Ask, Order, Tell, turn
from shared.rollback.messages import ROLLBACK_MESSAGE
from shared.rollback.state import RollbackState, is_rollback


class Rollbacks(ActorsInHand[StoredRollback]):
    """Applies entries about rollbacks; what is over is not kept in hand."""

    def __init__(self, store: RollbackStore, effects: Effects) -> None:
        super().__init__(StoredRollback, store)
        self._effects = effects

    def owns(self, identifier: str) -> bool:
        """True for the id of an execution's rollbacks."""
        return is_rollback(identifier)

    def _is_idle(self, state: RollbackState) -> bool:
        return state.over

    def _turn(self, before: RollbackState | None, raw: RawEntry) -> RollbackState | None:
        message = ROLLBACK_MESSAGE.validate_json(raw.payload)
        outcome = turn(before, raw.execution_id, message, raw.at_ms)
        for order in outcome.orders:
            self._carry_out(raw, order)
        return outcome.state

    def _carry_out(self, raw: RawEntry, order: Order) -> None:
        match order:
            case Tell(execution_id, message, message_id):
                self._effects.append(execution_id, message, message_id)
            case Ask(work, number, details):
                task = planning_task(raw.execution_id, work, number, details)
                self._effects.task(subjects.pool_rollback(), task, again=raw.redelivered)
