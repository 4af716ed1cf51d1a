"""A command that another distribution brings, found through its entry point."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.stack.layout import REPO_ROOT
from tests.integration.executor.world import World, noop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CODE = '''
from pydantic import BaseModel, ConfigDict

from services.executor.commands.base import Completed
from shared.commands.spec import CommandSpec, Effects


class Parameters(BaseModel):
    """Greets somebody."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str


class Output(BaseModel):
    """A greeting."""

    greeting: str


class Greet:
    spec = CommandSpec.of(
        name="greet",
        summary="Greets somebody.",
        parameters=Parameters,
        output=Output,
        effects=Effects.NONE,
        idempotent=True,
    )
    parameters = Parameters

    async def run(self, params, context):
        context.emit("progress", "about to greet")
        if params.name == "nobody":
            raise RuntimeError("there is nobody")
        return Completed({"greeting": f"hello {params.name}"})
'''


def _distribution(folder: Path) -> Path:
    """A tiny package, as an installer would have left it."""
    (folder / "greeting_plugin.py").write_text(CODE, encoding="utf-8")
    metadata = folder / "greeting_plugin-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: greeting-plugin\nVersion: 1.0\n", encoding="utf-8"
    )
    entry = "[haivemind.commands]\ngreet = greeting_plugin:Greet\n"
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
    return folder


async def test_a_command_of_an_entry_point_runs_where_it_is_installed(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It runs, is checked and may fail as any other; on an agent without it the step fails and
    says so."""
    plugin = _distribution(tmp_path_factory.mktemp("plugin"))
    path = os.pathsep.join((str(REPO_ROOT), str(plugin)))
    await world.executor("with", PYTHONPATH=path)
    await world.executor("without", role="runner")

    def greet(step: str, host: str, **parameters: object) -> dict[str, object]:
        target = {"host": host}
        rest = {"target": target, "continue_on_failure": True}
        return {"id": step, "command": "greet", "parameters": parameters, **rest}

    steps = [
        greet("good", "with", name="Ada"),
        greet("broken", "with", name="nobody"),
        greet("wrong", "with", nome="Ada"),
        greet("absent", "without", name="Ada"),
        noop("last", "${{ steps.good.output.greeting }}", depends_on=["good"]),
    ]
    state = await world.run("greeting", steps)
    assert state.steps["last"].output == {"echo": "hello Ada"}
    expected = {
        "broken": ("command_broken", "the command 'greet' broke: RuntimeError: there is nobody"),
        "wrong": ("invalid_parameters", "nome"),
        "absent": ("unknown_command", "on the agent 'without'"),
    }
    for name, (code, words) in expected.items():
        failure = state.steps[name].failure
        assert failure is not None
        assert (failure.code, words in failure.message) == (code, True), failure
    assert state.status == "completed_with_errors"
