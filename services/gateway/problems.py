"""Errors as RFC 9457 problem details: which field, what is wrong, what to do about it.

Operations raise `ProblemError` through the functions below; nothing else decides a status. What
nobody foresaw becomes a 500 with an incident id, and its traceback goes to the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from shared.contracts.api.problems import FieldProblem, ProblemDetails
from shared.workflow.errors import Problem

MEDIA_TYPE: Final = "application/problem+json"
MAX_FIELD_PROBLEMS: Final = 50
RETRY_AFTER_S: Final = 2

_TITLES: Final[Mapping[str, tuple[int, str]]] = {
    "invalid-request": (422, "The request is not valid"),
    "malformed-body": (400, "The body cannot be read"),
    "unauthenticated": (401, "An API key is needed"),
    "forbidden": (403, "This key may not do that"),
    "not-found": (404, "There is no such thing"),
    "upgrade-required": (426, "This is a WebSocket"),
    "method-not-allowed": (405, "That cannot be done here"),
    "conflict": (409, "The current state does not allow it"),
    "subject-changed": (409, "What would run has changed"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body has the wrong type"),
    "invalid-definition": (422, "The workflow definition is not valid"),
    "refused-by-validation": (422, "Validation refuses this run"),
    "invalid-parameters": (422, "The parameters do not fit the template"),
    "idempotency-key-reused": (422, "The idempotency key was used for another request"),
    "misdirected": (421, "This gateway is not known by that name"),
    "too-many-requests": (429, "Too many requests"),
    "damaged": (500, "What is stored cannot be read"),
    "internal": (500, "Something went wrong here"),
    "unavailable": (503, "A server that is needed does not answer"),
}


class ProblemError(Exception):
    """An error for the caller, complete with status and remedy."""

    def __init__(self, details: ProblemDetails, headers: Mapping[str, str] | None = None) -> None:
        self.details = details
        self.headers = dict(headers or {})
        super().__init__(details.detail)


def problem(
    kind: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
    incident: str | None = None,
) -> ProblemError:
    """A problem of one of the kinds in the table above. Raise it."""
    status, title = _TITLES[kind]
    details = ProblemDetails(
        type=f"urn:hive:problem:{kind}",
        title=title,
        status=status,
        detail=detail,
        errors=tuple(errors[:MAX_FIELD_PROBLEMS]),
        incident=incident,
    )
    return ProblemError(details, headers)


def status_of(kind: str) -> int:
    """The HTTP status of a kind of problem."""
    return _TITLES[kind][0]


def title_of(kind: str) -> str:
    """The title of a kind of problem."""
    return _TITLES[kind][1]


def body_of(details: ProblemDetails) -> dict[str, Any]:
    """The JSON object of a problem; what is empty is left out."""
    return details.model_dump(mode="json", exclude_defaults=True)


def not_found(what: str, identifier: str, fix: str = "") -> ProblemError:
    """404 for a thing that is named by its id."""
    return problem("not-found", f"There is no {what} {identifier!r}." + (f" {fix}" if fix else ""))


def unsupported_media_type(headers: Mapping[str, str]) -> ProblemError:
    """415 for a body that is not said to be JSON."""
    said = headers.get("content-type", "")[:100]
    return problem(
        "unsupported-media-type",
        f"The body is said to be {said!r}. Send JSON with `Content-Type: application/json`."
        if said
        else "The body has no type. Send JSON with `Content-Type: application/json`.",
        headers={"Accept": "application/json"},
    )


def conflict(detail: str) -> ProblemError:
    """409; `detail` says which state stands in the way, and what to do."""
    return problem("conflict", detail)


def damaged(what: str, faults: Iterable[tuple[str, str]], fix: str) -> ProblemError:
    """500 for something stored that cannot be read; `faults`: where in it, and what is wrong."""
    errors = [FieldProblem(field=where, message=said, code="damaged") for where, said in faults]
    return problem("damaged", f"{what} is damaged where it is stored. {fix}", errors=errors)


def unavailable(server: str) -> ProblemError:
    """503 for a server that does not answer now."""
    return problem(
        "unavailable",
        f"{server} does not answer now. Try again in {RETRY_AFTER_S} seconds; with the same "
        "Idempotency-Key nothing is started twice.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def field_problems(problems: Iterable[Problem], prefix: str = "") -> list[FieldProblem]:
    """The core's problems as fields of a request."""
    return [
        FieldProblem(field=_join(prefix, p.path), message=p.message, fix=p.fix, code=p.code)
        for p in problems
    ]


def invalid_definition(problems: Iterable[FieldProblem]) -> ProblemError:
    """422 with everything that is wrong with a definition."""
    found = list(problems)
    count = f"{len(found)} problems" if len(found) > 1 else "one problem"
    return problem("invalid-definition", f"The definition has {count}; see errors.", errors=found)


def invalid_parameters(problems: Iterable[FieldProblem]) -> ProblemError:
    """422 with everything that is wrong with the parameters of a run."""
    return problem(
        "invalid-parameters",
        "The parameters do not fit the template; see errors.",
        errors=list(problems),
    )


def invalid_fields(what: str, found: Sequence[FieldProblem]) -> ProblemError:
    """422 for several fields; `what` says in a sentence what is wrong with them together."""
    return problem("invalid-request", f"{what}; see errors.", errors=found)


def invalid_field(field: str, message: str, fix: str) -> ProblemError:
    """422 for one field."""
    only = FieldProblem(field=field, message=message, fix=fix)
    return problem("invalid-request", f"{field}: {message}", errors=[only])


def from_validation(errors: Sequence[Any]) -> ProblemError:
    """Pydantic's errors as a problem. Values are not repeated: one of them may be a secret."""
    malformed = next((e for e in errors if e["type"] == "json_invalid"), None)
    if malformed is not None:
        reason = malformed.get("ctx", {}).get("error", "it is not JSON")
        return problem("malformed-body", f"The body is not valid JSON: {reason}. Send JSON.")
    found = [_field_problem(error) for error in errors]
    return problem("invalid-request", "The request does not fit; see errors.", errors=found)


def from_pydantic(error: ValidationError) -> ProblemError:
    """The same for an error that was raised outside of the framework."""
    return from_validation(error.errors(include_url=False, include_input=False))


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    loc = [str(part) for part in error["loc"] if part != "[key]"]
    if len(loc) > 1 and loc[0] in {"body", "query", "path", "header"}:
        loc = loc[1:]
    kind = str(error["type"])
    return FieldProblem(
        field="/".join(loc),
        message=str(error["msg"]).removeprefix("Value error, "),
        fix=_fix(kind, loc[-1] if loc else "body"),
        code=kind,
    )


def _fix(kind: str, name: str) -> str:
    if kind == "missing":
        return f"add {name}"
    if kind == "extra_forbidden":
        return f"remove {name}, or correct its name"
    if kind == "string_pattern_mismatch":
        return "use lower-case letters, digits and underscores (ids also: hyphens and points)"
    if kind.endswith(("_type", "_parsing")):
        return f"change the type of {name}"
    return f"correct {name}"


def _join(prefix: str, path: str) -> str:
    return f"{prefix}/{path}" if prefix and path else prefix or path
