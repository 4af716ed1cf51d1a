"""Whether enough people may answer each gate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.validator.picture import Picture
from shared.contracts.api.keys import ApiKey, Role
from shared.validation.rule import Found, Rule
from shared.validation.rules.live import TOO_FEW_APPROVERS
from shared.workflow.approval_rule import Approval, Approvers

MAY_APPROVE: Final = (Role.OPERATOR, Role.ADMIN)
"""Whose keys may answer at all."""


def enough_approvers(picture: Picture) -> Iterator[tuple[Rule, Found]]:
    """Gates at which fewer people than needed may answer."""
    for path, rule in _gates(picture):
        able = _able(picture, rule)
        if len(able) < rule.quorum:
            yield TOO_FEW_APPROVERS, _found(picture, path, rule, able)


def _gates(picture: Picture) -> Iterator[tuple[str, Approval]]:
    policies = picture.template.policies
    if policies.approval is not None:
        yield "policies/approval", policies.approval
    elif policies.approval_required:
        yield "policies/approval_required", Approval(allow_self_approval=True)
    if policies.rollback.approval is not None:
        yield "policies/rollback/approval", policies.rollback.approval
    for path, step in picture.placed:
        if step.approval is not None:
            yield f"{path}/approval", step.approval
        for index, option in enumerate(step.wait_for.options if step.wait_for else ()):
            if option.approval is not None:
                yield f"{path}/wait_for/options/{index}/approval", option.approval
        target = step.target
        if target.approve_after_canary is not None:
            yield f"{path}/target/approve_after_canary", target.approve_after_canary
        if target.approve_between is not None:
            yield f"{path}/target/approve_between", target.approve_between


def _able(picture: Picture, rule: Approval) -> list[str]:
    """The names of those who may answer, escalation included."""
    barred = _barred(picture, rule)
    named = (rule.approvers, *((rule.escalate_to,) if rule.escalate_to else ()))
    keys = [key for key in picture.keys if _in_force(key) and key.name not in barred]
    return sorted({key.name for key in keys if any(_includes(who, key) for who in named)})


def _barred(picture: Picture, rule: Approval) -> set[str]:
    if rule.allow_self_approval:
        return set()
    return {picture.question.requested_by, picture.question.template_author} - {""}


def _in_force(key: ApiKey) -> bool:
    return key.revoked_at_ms == 0 and key.role in MAY_APPROVE


def _includes(approvers: Approvers, key: ApiKey) -> bool:
    return approvers.include(key.name, key.role.value, key.groups)


def _found(picture: Picture, path: str, rule: Approval, able: list[str]) -> Found:
    people = ", ".join(able[:5]) or "nobody"
    barred = sorted(_barred(picture, rule))
    but = f" ({' and '.join(barred)} may not answer their own)" if barred else ""
    return Found(
        path,
        f"{rule.quorum} must approve, and {people} may{but}",
        fix="give keys to more people (hv keys create NAME --role operator --group …), or ask "
        "others in the template",
        about="system",
    )
