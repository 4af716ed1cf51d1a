"""The gateway's REST API as tools use it: answers are contracts, refusals are `RefusedError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from shared.contracts.api.problems import ProblemDetails

TIMEOUT_S: Final = 30.0
"""How long an answer may take, beyond what the gateway was asked to wait."""

ModelT = TypeVar("ModelT", bound=BaseModel)


_UNSENDABLE: Final = ProblemDetails(
    type="urn:hive:problem:malformed-body",
    title="The arguments cannot be sent",
    status=400,
    detail="The arguments hold what JSON cannot carry: a number (NaN, Infinity) or half a "
    "character. Leave it out, or send it as text.",
)


class RefusedError(Exception):
    """The gateway refused, or did not answer: `details` says why and what to do."""

    def __init__(self, details: ProblemDetails) -> None:
        self.details = details
        super().__init__(details.detail)


class GatewayApi:
    """One gateway, spoken to with one key."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        """`http` knows the gateway's address; it is not closed here."""
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}"}

    async def get(
        self,
        path: str,
        model: type[ModelT],
        query: Mapping[str, Any] | None = None,
        *,
        wait_s: float = 0,
    ) -> ModelT:
        """GET; what is None or empty in the query is left out. `wait_s` goes on top of the
        timeout."""
        return await self._send("GET", path, model, query=query, wait_s=wait_s)

    async def post(
        self,
        path: str,
        model: type[ModelT],
        body: Mapping[str, Any],
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ModelT:
        """POST JSON."""
        return await self._send("POST", path, model, query=query, json=body, headers=headers)

    async def _send(
        self,
        method: str,
        path: str,
        model: type[ModelT],
        *,
        query: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0,
    ) -> ModelT:
        try:
            answer = await self._http.request(
                method,
                path,
                params={k: v for k, v in (query or {}).items() if v not in (None, (), [], "")},
                json=json,
                headers={**self._headers, **(headers or {})},
                timeout=TIMEOUT_S + wait_s,
            )
        except httpx.HTTPError as error:
            raise RefusedError(_unreachable(self._http.base_url, error)) from None
        except ValueError:
            raise RefusedError(_UNSENDABLE) from None
        if not answer.is_success:
            raise RefusedError(_problem(answer))
        return model.model_validate_json(answer.content)


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def _problem(answer: httpx.Response) -> ProblemDetails:
    try:
        return ProblemDetails.model_validate_json(answer.content)
    except ValidationError:
        return ProblemDetails(
            type="about:blank",
            title="Unexpected answer",
            status=answer.status_code,
            detail=f"The gateway answered {answer.status_code} without saying why.",
        )


def _unreachable(url: httpx.URL, error: httpx.HTTPError) -> ProblemDetails:
    reason = str(error) or type(error).__name__
    return ProblemDetails(
        type="urn:hive:problem:unavailable",
        title="The gateway does not answer",
        status=503,
        detail=f"The gateway at {url} cannot be reached: {reason}. Is the stack up (`hv status`)?",
    )
