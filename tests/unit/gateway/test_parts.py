"""Bounds, rates and problems of the gateway, without a server."""

from __future__ import annotations

import itertools
import re

import pytest
from pydantic import ValidationError

from services.gateway import problems
from services.gateway.keys import PREFIX, new_secret, secret_hash
from services.gateway.middleware.bodies import MAX_JSON_DEPTH, json_is_too_deep
from services.gateway.permissions import PERMISSIONS, Permission
from services.gateway.rates import MAX_BUCKETS, RateLimiter
from services.gateway.routes.events_ws import EventFilters
from shared.contracts.api.executions import ExecuteRequest
from shared.contracts.api.keys import Role


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH, False),
        (b"[" * (MAX_JSON_DEPTH + 1), True),
        (b'{"a":' * (MAX_JSON_DEPTH + 1), True),
        (b"[]" * 10_000, False),
        (b'"' + b"[" * 1_000 + b'"', False),
        (b'["\\"' + b"[" * 1_000 + b'"]', False),
        (b'"unterminated ' + b"[" * 1_000, True),
    ],
)
def test_depth_counts_brackets_outside_of_strings(body: bytes, deep: bool) -> None:
    """Depth is that of lists and objects, whatever strings hold."""
    assert json_is_too_deep(body) is deep


def test_a_caller_may_burst_and_then_goes_at_its_rate() -> None:
    """After the burst one token comes every 1/rate seconds; other callers are not touched."""
    now = 0.0
    limiter = RateLimiter(2.0, 3, lambda: now)
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(problems.ProblemError) as refused:
        limiter.take("a")
    assert refused.value.details.status == 429
    assert refused.value.headers["Retry-After"] == "1"
    limiter.take("b")
    now = 0.5
    limiter.take("a")
    with pytest.raises(problems.ProblemError):
        limiter.take("a")


def test_callers_that_are_remembered_are_bounded() -> None:
    """A stream of new addresses does not grow the memory."""
    limiter = RateLimiter(1.0, 1, lambda: 0.0)
    for number in range(MAX_BUCKETS + 10):
        limiter.take(str(number))
    limiter.take("0")  # forgotten, so it starts full
    with pytest.raises(problems.ProblemError):
        limiter.take(str(MAX_BUCKETS + 9))


def test_secrets_have_256_bits() -> None:
    """A secret is the prefix and 43 URL-safe characters; its hash is SHA-256."""
    secret = new_secret()
    assert re.fullmatch(PREFIX + r"[A-Za-z0-9_-]{43}", secret)
    assert re.fullmatch(r"[0-9a-f]{64}", secret_hash(secret))
    assert secret != new_secret()


def test_roles_build_on_each_other() -> None:
    """Each role may do all that a lesser one may; only admins keep keys."""
    ladder = [Role.VIEWER, Role.AGENT, Role.OPERATOR, Role.ADMIN]
    for less, more in itertools.pairwise(ladder):
        assert PERMISSIONS[less] < PERMISSIONS[more]
    assert [role for role in Role if Permission.KEYS in PERMISSIONS[role]] == [Role.ADMIN]


def test_validation_errors_never_repeat_a_value() -> None:
    """A field, a message and a remedy; the value, which may be a secret, stays out."""
    with pytest.raises(ValidationError) as invalid:
        ExecuteRequest.model_validate({"template_id": "t", "labels": {"a": ["hunter2"]}})
    details = problems.from_pydantic(invalid.value).details
    assert [(e.field, e.fix) for e in details.errors] == [("labels/a", "change the type of a")]
    assert "hunter2" not in details.model_dump_json()


def test_problems_are_bounded() -> None:
    """An answer lists at most so many problems, however many there are."""
    errors = [{"loc": ("body", "x", n), "type": "missing", "msg": "m"} for n in range(1_000)]
    assert len(problems.from_validation(errors).details.errors) == problems.MAX_FIELD_PROBLEMS


def test_a_problem_leaves_out_what_is_empty() -> None:
    """The body has type, title, status and detail, and errors only where there are some."""
    body = problems.body_of(problems.conflict("no").details)
    assert set(body) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize("query", [{"after": "-1"}, {"colour": "red"}, {"execution": "x" * 201}])
def test_filters_of_a_socket_are_checked(query: dict[str, str]) -> None:
    """An unknown or impossible filter is a problem, never ignored."""
    from starlette.datastructures import QueryParams

    with pytest.raises(problems.ProblemError):
        EventFilters.of(QueryParams(query))
