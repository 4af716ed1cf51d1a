"""`/api/v1/workflows/validate`: what would be found of a definition, or of a run."""

from __future__ import annotations

from fastapi import APIRouter

from services.gateway.access import Gate, Reader
from shared.contracts.api.validation import ValidateBody, ValidationReport

router = APIRouter(prefix="/api/v1/workflows", tags=["templates"])


@router.post("/validate")
async def validate_workflow(gate: Gate, reader: Reader, body: ValidateBody) -> ValidationReport:
    """Look at a definition (an object, or a text in YAML or JSON) or at a stored template, with or
    without the parameters of a run. Nothing is stored and nothing runs. Whatever is found, the
    answer is 200; `passed` says whether a run would be accepted. Levels `strict` and `paranoid` ask
    the validator service: 503 where none answers."""
    stored = None
    if body.template_id is not None:
        stored = await gate.templates.find(body.template_id, body.version)
    return await gate.validating.report(body, stored, reader)
