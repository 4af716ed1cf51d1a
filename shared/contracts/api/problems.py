"""The body of every error: RFC 9457 problem details, with the fields that are wrong."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FieldProblem(BaseModel):
    """One thing that is wrong with a request, where, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Where, for example `parameters/severity` or `steps/2/when`.")
    message: str
    fix: str = ""
    code: str = ""


class ProblemDetails(BaseModel):
    """An error. `type` is stable and names the kind; `detail` says what happened and what to do.

    `incident` is given for errors that are not the caller's, and stands in the gateway's log.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    errors: tuple[FieldProblem, ...] = ()
    incident: str | None = None
