"""A gate as text: exactly what would run, what it is expected to change, and who has answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.text import Text

from services.cli import rendering
from shared.contracts.api.approvals import ApprovalView, PredictedEffects
from shared.workflow.approval_subject import SubjectStep

_STYLES = {"none": "green", "reversible": "yellow"}


def described(one: ApprovalView) -> Iterator[Text]:
    """Line by line; nothing of what would run is left out or cut."""
    yield Text.assemble(
        (rendering.safe(one.template_name or one.template_id), "bold"),
        f"  {one.template_id} {one.template_version}  {one.execution_id}",
    )
    asked = rendering.moment(one.requested_at_ms) if one.requested_at_ms else "earlier"
    yield Text(f"gate {one.gate}, round {one.round}: {one.status}")
    yield Text(f"requested by {one.requested_by.id}, {asked}")
    yield from _people(one)
    if one.subject is None:
        yield Text(f"what would run cannot be shown: {one.subject_problem}", style="red")
        return
    yield from _mapping("parameters", one.subject.parameters)
    yield from _mapping("input", one.subject.input)
    yield Text("would run", style="bold")
    effects = {effect.step: effect for effect in one.effects}
    for step in one.subject.steps:
        yield from _step(step, effects.get(step.id))
    yield Text(f"subject_hash {one.subject_hash}")


def _people(one: ApprovalView) -> Iterator[Text]:
    said = ", ".join(
        vote.by.id + (f" for {vote.for_whom}" if vote.for_whom else "")
        for vote in one.votes
        if vote.approved
    )
    yield Text(f"needs {one.quorum} of {_approvers(one)}; approved so far: {said or 'nobody'}")
    for who, to in one.delegated.items():
        yield Text(f"{who} has handed the vote to {to}")
    if one.escalated:
        yield Text("escalated")
    if one.expires_at_ms:
        yield Text(f"expires {rendering.moment(one.expires_at_ms)}")
    if one.form:
        yield Text(f"asks for input: {', '.join(one.form.get('properties', {}))}")
    if one.why_not:
        yield Text(f"you may not answer: {one.why_not}", style="yellow")


def _approvers(one: ApprovalView) -> str:
    words = [
        f"{kind} {name}"
        for approvers in one.approvers
        for kind, names in (
            ("role", approvers.roles),
            ("group", approvers.groups),
            ("user", approvers.users),
        )
        for name in names
    ]
    return ", ".join(words) or "everybody who may approve"


def _step(step: SubjectStep, effects: PredictedEffects | None) -> Iterator[Text]:
    line = Text.assemble("  ", (step.id, "bold"), f"  {step.command}  {_where(step)}")
    if effects is not None:
        style = _STYLES.get(effects.effects, "red")
        way_back = "with rollback" if effects.rollback else "no rollback"
        line.append(f"  effects: {effects.effects}", style=style)
        line.append(f", {way_back}" if effects.effects != "none" else "")
    yield line
    if step.when is not None:
        yield Text(f"    when {rendering.safe(step.when)}")
    for name, value in step.parameters.items():
        yield Text(f"    {rendering.safe(name)}: {_text(value)}")


def _where(step: SubjectStep) -> str:
    if step.targets:
        return "on " + rendering.safe(", ".join(step.targets))
    wanted = [f"host {step.host}"] if step.host else []
    wanted += [f"{name}={value}" for name, value in step.labels.items()]
    return "on " + rendering.safe(" ".join(wanted)) if wanted else "on any agent that fits"


def _mapping(title: str, values: dict[str, object]) -> Iterator[Text]:
    if values:
        yield Text(title, style="bold")
    for name, value in values.items():
        yield Text(f"  {name}: {_text(value)}")


def _text(value: object) -> str:
    """The value in full; lines of a text stand under each other."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return rendering.safe(text).rstrip("\n").replace("\n", "\n      ")
