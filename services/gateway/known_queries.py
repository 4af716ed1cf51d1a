"""Query parameters that a route does not know are refused: a misspelt filter is not no filter."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from services.gateway import problems
from shared.contracts.api.problems import FieldProblem


def check_query(connection: HTTPConnection) -> None:
    """Raises 422 that names each parameter that the route does not have, and the nearest it has."""
    route = connection.scope.get("route")
    if not connection.query_params or not isinstance(route, APIRoute):
        return
    known = query_names(route)
    unknown = [name for name in dict.fromkeys(connection.query_params) if name not in known]
    if unknown:
        raise problems.invalid_fields(
            "There are unknown query parameters", [_unknown(name[:100], known) for name in unknown]
        )


def query_names(route: APIRoute) -> frozenset[str]:
    """The query parameters that a route takes. Asked of the route: to make the description of the
    whole API for its first request would keep a gateway from all others for a second."""
    return frozenset(_names(route.dependant))


def _names(dependant: Dependant) -> Iterator[str]:
    for taken in dependant.query_params:
        kind = taken.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (field.alias or name for name, field in kind.model_fields.items())
        else:
            yield taken.alias
    for below in dependant.dependencies:
        yield from _names(below)


def _unknown(name: str, known: Collection[str]) -> FieldProblem:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    listed = f"known: {', '.join(sorted(known))}" if known else "remove it"
    return FieldProblem(
        field=name,
        message="there is no such query parameter here",
        fix=f"did you mean {close[0]!r}?" if close else listed,
        code="unknown_parameter",
    )
