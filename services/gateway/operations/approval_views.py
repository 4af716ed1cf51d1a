"""Gates as callers see them: exactly what an answer is about, and what it is expected to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from services.gateway.operations.programs import GatewayPrograms
from services.gateway.permissions import Permission, Principal
from shared.commands.registry import CommandRegistry
from shared.contracts.api.approvals import ApprovalView, Predicted, PredictedEffects
from shared.contracts.publishing import masked
from shared.workflow.approval_subject import ApprovalSubject, SubjectStep, subject_of
from shared.workflow.definition import Template, object_schema
from shared.workflow.gate_answers import why_not
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import GateState
from shared.workflow.gates import ESCALATE, EXPIRE, open_gates
from shared.workflow.messages import ApprovalMessage
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState


class ApprovalViews:
    """Makes views of gates."""

    def __init__(self, programs: GatewayPrograms, registry: CommandRegistry) -> None:
        self._programs = programs
        self._registry = registry

    async def of(
        self, state: ExecutionState, principal: Principal, *, only_open: bool = False
    ) -> list[ApprovalView]:
        """The gates of an execution, open ones first, as the principal sees them."""
        asked = [name for name, _ in open_gates(state)]
        if not only_open:
            asked += [name for name in state.gates if name not in asked]
        wanted = state.template_id, state.template_version
        program = await self._programs.get(*wanted) if asked else None
        return [self._view(state, name, program, principal) for name in asked]

    def _view(
        self, state: ExecutionState, name: str, program: Program | None, principal: Principal
    ) -> ApprovalView:
        gate = gate_of(state, name)
        subject, problem = _checked(state, name, gate, program)
        template = program.template if program is not None else None
        return ApprovalView(
            execution_id=state.execution_id,
            template_id=state.template_id,
            template_version=state.template_version,
            template_name=template.name if template is not None else "",
            gate=name,
            step=gate.step,
            round=gate.round,
            status=gate.status.value,
            requested_by=state.requested_by,
            requested_at_ms=gate.requested_at_ms,
            closed_at_ms=gate.closed_at_ms,
            subject_hash=gate.subject_hash,
            subject=subject,
            subject_problem=problem,
            effects=tuple(self._effects(subject, template)),
            quorum=gate.rule.quorum,
            approvers=gate.approvers,
            comment_required=gate.rule.comment_required,
            form=object_schema(gate.rule.form) if gate.rule.form else {},
            input=masked(gate.input),
            votes=gate.votes,
            refusals=gate.refusals,
            delegated=gate.delegated,
            escalated=gate.escalated,
            escalates_at_ms=_due_ms(state, ESCALATE, name),
            expires_at_ms=_due_ms(state, EXPIRE, name),
            hash_required=gate.needs_hash,
            why_not=refusal(state, name, principal) or "",
        )

    def _effects(
        self, subject: ApprovalSubject | None, template: Template | None
    ) -> Iterator[PredictedEffects]:
        if subject is None or template is None:
            return
        undone = {s.id for s in template.steps if s.rollback is not None}
        for step in subject.steps:
            yield PredictedEffects(
                step=step.id,
                command=step.command,
                effects=self._effects_of(step),
                rollback=template.policies.rollback_enabled and step.id in undone,
            )

    def _effects_of(self, step: SubjectStep) -> Predicted:
        """A command that is not installed here may do anything."""
        if step.command not in self._registry:
            return "unknown"
        found = self._registry[step.command].effects_of(step.parameters).value
        return cast("Predicted", found)


def refusal(state: ExecutionState, name: str, principal: Principal) -> str | None:
    """Why a principal may not answer a gate; `None` when it may."""
    if not principal.may(Permission.APPROVE):
        return f"the role {principal.role.value} may not approve"
    return why_not(state, gate_of(state, name), said_by(principal, name))


def said_by(principal: Principal, gate: str) -> ApprovalMessage:
    """Who the principal is, as the core knows people."""
    return ApprovalMessage(
        gate=gate,
        by=principal.actor,
        role=principal.role.value,
        groups=principal.groups,
        key=principal.key_id,
    )


def _checked(
    state: ExecutionState, name: str, gate: GateState, program: Program | None
) -> tuple[ApprovalSubject | None, str]:
    """The subject, if it is the one that is asked about: nobody shall approve what they were not
    shown."""
    if program is None:
        return None, f"template {state.template_id}@{state.template_version} cannot be read here"
    subject = subject_of(program, state, name, gate)
    if gate.subject_hash and subject.digest != gate.subject_hash:
        return None, "what is asked about cannot be made again here: releases or commands differ"
    return subject, ""


def _due_ms(state: ExecutionState, what: str, name: str) -> int:
    timer = state.timers.get(f"{what}-{name}")
    return timer.due_ms if timer is not None else 0
