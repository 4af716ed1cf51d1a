"""A gate's timers: reminders, escalation, expiry. They are durable, and none of them approves.

An expired gate is rejected in effect; where the rule says `escalate` others are asked first, for
the same time again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.workflow import events as ev
from shared.workflow.approval_rule import Approvers
from shared.workflow.gate_state import GateState
from shared.workflow.gates import ESCALATE, EXPIRE, REMIND, clear_timers, set_timer, tell
from shared.workflow.turn import Turn

MAX_REMINDERS: Final = 100
"""Of one round; after that nobody would read another."""


def fire(turn: Turn, what: str, name: str) -> None:
    """A timer of a gate is due. They are cleared when a round is closed, so this one is open."""
    _DUE[what](turn, name, turn.state.gates[name])


def _remind(turn: Turn, name: str, gate: GateState) -> None:
    number = gate.reminders + 1
    turn.emit(ev.ApprovalReminded(gate=name, round=gate.round, number=number))
    tell(turn, name, "info", "still waits for approval")
    if number < MAX_REMINDERS:
        set_timer(turn, REMIND, name, gate.rule.remind_every_s)


def _escalate(turn: Turn, name: str, gate: GateState) -> None:
    to = gate.rule.escalate_to or Approvers()
    turn.emit(ev.ApprovalEscalated(gate=name, round=gate.round, to=to))
    tell(turn, name, "warning", "waits for approval, and is escalated")


def _expire(turn: Turn, name: str, gate: GateState) -> None:
    if gate.rule.on_expiry == "escalate" and not gate.escalated:
        _escalate(turn, name, gate)
        set_timer(turn, EXPIRE, name, gate.rule.expires_after_s)
        return
    turn.emit(ev.ApprovalExpired(gate=name, round=gate.round))
    clear_timers(turn, name)
    tell(turn, name, "warning", "was not approved in time")


_DUE: Final[Mapping[str, Callable[[Turn, str, GateState], None]]] = {
    REMIND: _remind,
    ESCALATE: _escalate,
    EXPIRE: _expire,
}
