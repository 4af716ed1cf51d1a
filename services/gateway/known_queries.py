"""Query parameters that a route does not know are refused: a misspelt filter is not no filter."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from services.gateway import problems
from shared.contracts.api.problems import FieldProblem


def check_query(connection: HTTPConnection) -> None:
    """Raises 422 that names each parameter that the route does not have, and the nearest it has."""
    route = connection.scope.get("route")
    if not connection.query_params or not isinstance(route, APIRoute):
        return
    described = connection.app.openapi()["paths"][route.path_format]
    operation = described[str(connection.scope["method"]).lower()]
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    unknown = [name for name in dict.fromkeys(connection.query_params) if name not in known]
    if unknown:
        raise problems.invalid_fields(
            "There are unknown query parameters", [_unknown(name[:100], known) for name in unknown]
        )


def _unknown(name: str, known: Collection[str]) -> FieldProblem:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    listed = f"known: {', '.join(sorted(known))}" if known else "remove it"
    return FieldProblem(
        field=name,
        message="there is no such query parameter here",
        fix=f"did you mean {close[0]!r}?" if close else listed,
        code="unknown_parameter",
    )
