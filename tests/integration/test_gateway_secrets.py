"""Templates with secrets at the gateway: what is refused, what is warned of, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.gateway_answers import definition, problem
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATES = "/api/v1/workflows/templates"
TOKEN = "${{ 'Bearer ' + secrets.TOKEN }}"


def _step(command: str = "shell", **parameters: Any) -> dict[str, Any]:
    return {"id": "a", "command": command, "parameters": parameters}


async def test_a_template_tells_its_secrets(world: World) -> None:
    """What a template needs of its agents is told with it; nothing is warned of where the secret
    cannot be seen."""
    step = _step(script="./publish", env={"A": TOKEN, "B": "${{ secrets.OTHER }}"})
    stored = await world.client.post(TEMPLATES, json=definition("secret_env", steps=[step]))
    assert stored.status_code == 201, stored.text
    assert stored.json()["warnings"] == []
    view = (await world.client.get(f"{TEMPLATES}/secret_env")).json()
    assert view["secrets"] == ["OTHER", "TOKEN"]


async def test_a_secret_among_arguments_is_warned_of(world: World) -> None:
    """The template is stored, with a warning that names the place and what to do."""
    step = _step(argv=["curl", "-H", TOKEN])
    stored = await world.client.post(TEMPLATES, json=definition("secret_argv", steps=[step]))
    assert stored.status_code == 201, stored.text
    (warning,) = stored.json()["warnings"]
    assert (warning["field"], warning["code"]) == (
        "steps/0/parameters/argv/2",
        "secret-in-arguments",
    )
    assert "stdin" in warning["fix"]


@pytest.mark.parametrize(
    ("step", "rest", "field", "code"),
    [
        (
            _step(argv=["true"]) | {"when": "secrets.T == 'a'"},
            {},
            "steps/0/when",
            "misplaced-secret",
        ),
        (_step(argv=["true"]), {"outputs": {"x": TOKEN}}, "outputs/x", "misplaced-secret"),
        (
            _step("remember", content=TOKEN, category="notes"),
            {},
            "steps/0/parameters/content",
            "secret-passed-on",
        ),
        (
            _step(script="x", env={"A": "${{ secrets.T + 1 }}"}),
            {},
            "steps/0/parameters/env/A",
            "expression-type",
        ),
    ],
)
async def test_a_secret_in_the_wrong_place_is_refused(
    world: World, step: dict[str, Any], rest: dict[str, Any], field: str, code: str
) -> None:
    """The problem names the place, and says what to do."""
    answer = await world.client.post(TEMPLATES, json=definition("secret_bad", steps=[step], **rest))
    (found,) = problem(answer, 422)["errors"]
    assert (found["field"], found["code"]) == (field, code)
    assert found["fix"]
