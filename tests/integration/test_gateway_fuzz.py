"""Every operation of the description: its examples work, and nothing odd is a defect."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.app import ROUTERS
from services.gateway.examples import BODIES
from services.gateway.known_queries import query_names
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD_TEXTS: Final = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "..",
    "%00",
    "$where",
    "a.b",
    "é🐝",
    "x" * 300,
    "-1",
    "nan",
    "inf",
    "1e400",
    "99999999999999999999999",
    "9223372036854775808.x",
    "null",
    "[]",
    "*",
    ">",
    "https://xn--/",
    "https://[::1]:x/",
]
ODD_VALUES: Final[list[Any]] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**53,
    2**63,
    10**40,
    -0.0,
    1e308,
    [],
    {},
    [[]],
    {"": ""},
    {"$x": 1},
    {"a.b": {"\x00": None}},
    *ODD_TEXTS,
]
Paths = dict[str, dict[str, Any]]

texts = st.sampled_from(ODD_TEXTS)
values = st.sampled_from(ODD_VALUES)


@st.composite
def bodies(draw: st.DrawFn, operation_id: str) -> bytes:
    """The example with something odd in the place of one of its parts, or something else."""
    example = BODIES.get(operation_id)
    if not isinstance(example, dict) or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([b"", b"null", b"[]", b"{", b"\xff", b"0", b'""', b"{}"]))
    body: Any = json.loads(json.dumps(example))
    at = body
    while True:
        key = draw(st.sampled_from(sorted(at))) if isinstance(at, dict) and at else None
        inner = at[key] if key is not None else None
        if key is None or not (isinstance(inner, dict) and inner) or draw(st.booleans()):
            break
        at = inner
    place = key if key is not None and draw(st.integers(0, 4)) else draw(texts)
    at[place] = draw(values)
    return json.dumps(body).encode()


@st.composite
def requests(draw: st.DrawFn, paths: Paths) -> tuple[str, str, str, bytes | None]:
    """The path of an operation, with a method, an address and a body."""
    operation_path = path = draw(st.sampled_from(sorted(paths)))
    method = draw(st.sampled_from(sorted(paths[path])))
    operation = paths[path][method]
    query = []
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(draw(texts) or "x", safe=""))
        elif parameter["in"] == "query" and draw(st.integers(0, 2)) == 0:
            query.append(f"{parameter['name']}={quote(draw(texts), safe='')}")
    address = path + ("?" + "&".join(query) if query else "")
    content = draw(bodies(operation["operationId"])) if "requestBody" in operation else None
    return operation_path, method, address, content


async def test_every_example_of_the_description_works(world: World) -> None:
    """What the description shows as a body is taken, or refused only for what it names."""
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    with_body = [
        (method, path, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    for method, path, operation in with_body:
        ((media_type, content),) = operation["requestBody"]["content"].items()
        example = content["example"]
        text = example if isinstance(example, str) else json.dumps(example)
        answer = await world.client.request(
            method,
            path.replace("{number}", "1").replace("{", "").replace("}", ""),
            content=text,
            headers={"Content-Type": media_type},
        )
        named = [error["field"] for error in answer.json().get("errors", [])]
        good = answer.is_success or answer.status_code == 404 or named == ["url"]
        # Some are answered by services that do not run here; then it says which.
        good |= answer.status_code == 503 and "service running?" in answer.text
        assert good, (operation["operationId"], answer.text)


async def test_each_route_knows_the_queries_of_its_description(world: World) -> None:
    """What is refused as an unknown query parameter is not among those that are described."""
    paths = world.app.openapi()["paths"]
    routes = [route for router in ROUTERS for route in router.routes]
    compared = 0
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            parameters = paths[route.path_format][method.lower()].get("parameters", ())
            described = {one["name"] for one in parameters if one["in"] == "query"}
            assert query_names(route) == described, route.path_format
            compared += len(described)
    assert compared > 100


@given(data=st.data())
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_nothing_odd_is_a_defect(world: World, data: st.DataObject) -> None:
    """Whatever is sent, the answer is one of those that are described, and errors are problems."""
    paths = world.app.openapi()["paths"]
    path, method, address, content = data.draw(requests(paths))
    answer = await world.client.request(
        method, address, content=content, headers={"Content-Type": "application/json"}
    )
    # Some are answered by services that do not run here; then it says which.
    away = answer.status_code == 503 and "service running?" in answer.text
    assert away or answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    odd_path = answer.status_code in (307, 404, 405)
    described = set(paths[path][method]["responses"])
    assert odd_path or str(answer.status_code) in described
