"""`/api/v1/targets` and `…/executions/{id}/targets`: whom fleets run on, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.gateway import problems
from services.gateway.access import Gate, Reader
from services.gateway.operations.fleets import Wanted
from shared.contracts.api.targets import ExecutionTargets, TargetsPreview
from shared.workflow.machines.step import StepStatus
from shared.workflow.names import Slug

router = APIRouter(prefix="/api/v1", tags=["targets"])


class TargetFilters(BaseModel):
    """Whose targets: those of a template's fleets, or of a selector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str | None = Field(None, max_length=2_000, description="A selector.")
    template: str | None = Field(None, max_length=200, description="A template with fleets.")
    version: str | None = Field(None, max_length=200, description="Default: the newest release.")
    step: str | None = Field(None, max_length=200, description="Only of this fleet.")
    parameters: str = Field("{}", max_length=16_000, description="Of the template: a JSON object.")
    label: tuple[str, ...] = Field((), max_length=50, description="With `where`: `name=value`.")
    capability: tuple[Slug, ...] = Field((), max_length=50, description="With `where`: all of it.")
    any_capability: tuple[Slug, ...] = Field((), max_length=50, description="One of these.")

    def wanted(self) -> Wanted:
        """The same as the operation takes it. Raises 422 for labels and parameters."""
        return Wanted(
            where=self.where,
            template_id=self.template,
            version=self.version,
            step=self.step,
            labels=_labels(self.label),
            capabilities=self.capability,
            any_capabilities=self.any_capability,
            parameters=_object(self.parameters),
        )


@router.get("/targets")
async def preview_targets(
    gate: Gate, _reader: Reader, filters: Annotated[TargetFilters, Query()]
) -> TargetsPreview:
    """Which live agents a selector, or each fleet of a template, would match right now."""
    return await gate.targets.preview(filters.wanted())


@router.get("/workflows/executions/{execution_id}/targets")
async def list_targets(
    gate: Gate,
    _reader: Reader,
    execution_id: str,
    step: Annotated[str | None, Query(max_length=200, description="Only of this fleet.")] = None,
    status: Annotated[
        list[StepStatus] | None, Query(max_length=20, description="Only in one of these.")
    ] = None,
) -> ExecutionTargets:
    """What became of each target of an execution's fleets: status, output, error, attempts."""
    statuses = {one.value for one in status or ()}
    return await gate.targets.of_execution(execution_id, step, statuses)


def _labels(texts: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise problems.invalid_field("label", f"{text!r} is not name=value", "label=role=web")
        labels[name] = value
    return labels


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise problems.invalid_field("parameters", "is not a JSON object", 'parameters={"n": 1}')
    return value
