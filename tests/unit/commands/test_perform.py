"""Running by name: refusals, misfits and defects become clear failures."""

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from services.executor.commands.base import (
    Capturing,
    CommandContext,
    Completed,
    Deferred,
    Failed,
    Outcome,
    TimedOut,
)
from services.executor.commands.catalog import CommandCatalog, builtin_commands
from services.executor.commands.perform import perform
from services.executor.policy import Policy
from shared.commands.noop import SPEC, NoopParameters
from shared.commands.third_party import GROUP
from tests.unit.commands.contexts import Stage

CATALOG = CommandCatalog.installed(entries=[])


class Scripted:
    """A third-party command that answers what it is told, or raises it."""

    spec = SPEC.model_copy(update={"name": "acme-scripted"})
    parameters = NoopParameters

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def run(self, params: NoopParameters, context: CommandContext) -> Outcome:
        if isinstance(self.answer, Exception):
            raise self.answer
        result: Outcome = self.answer
        return result


async def scripted(stage: Stage, answer: Any, token: str | None = None) -> Outcome:
    catalog = CommandCatalog([*builtin_commands(), Scripted(answer)])
    context = stage.context(output_limit_bytes=1000)
    return await perform(catalog, "acme-scripted", {}, context, token)


async def failure(stage: Stage, answer: Any, token: str | None = None) -> Failed:
    outcome = await scripted(stage, answer, token)
    assert isinstance(outcome, Failed)
    return outcome


def test_every_specification_has_a_command() -> None:
    """What the registry promises the catalogue can run, with the same schema."""
    assert list(CATALOG) == list(CATALOG.registry)
    for name, command in CATALOG.items():
        assert command.spec is CATALOG.registry[name]
        assert isinstance(command, Capturing) == bool(command.spec.captures)


async def test_noop(stage: Stage) -> None:
    """Parameters go in, the output comes out."""
    outcome = await perform(CATALOG, "noop", {"echo": [1]}, stage.context())
    assert outcome == Completed({"echo": [1]})


async def test_unknown_command(stage: Stage) -> None:
    """An unknown name is answered with the agent and a name that looks alike."""
    outcome = await perform(CATALOG, "shel", {}, stage.context())
    assert isinstance(outcome, Failed)
    assert outcome.code == "unknown_command"
    assert "did you mean 'shell'" in outcome.message


async def test_refused_command(stage: Stage) -> None:
    """A forbidden command is not run, and the rule is named."""
    policy = Policy.model_validate({"commands": {"deny": ["shell"]}})
    outcome = await perform(CATALOG, "shell", {"argv": ["true"]}, stage.context(policy=policy))
    assert isinstance(outcome, Failed)
    assert outcome.code == "refused_by_policy"
    assert "rule commands.deny[0]: 'shell'" in outcome.message


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("wait", {"seconds": "${{ 1 }}"}),
        ("wait", {"until": "2030-99-99T00:00:00Z"}),
        ("shell", {"argv": ["ls"], "cwd": 1}),
    ],
)
async def test_invalid_parameters(stage: Stage, name: str, parameters: dict[str, Any]) -> None:
    """Parameters that do not fit are listed, with places."""
    outcome = await perform(CATALOG, name, parameters, stage.context())
    assert isinstance(outcome, Failed)
    assert outcome.code == "invalid_parameters"
    assert outcome.output["problems"][0]["path"] in {"seconds", "until", "cwd"}


async def test_defects_are_contained(stage: Stage) -> None:
    """A command that raises, or answers nonsense, fails as broken."""
    assert (await failure(stage, RuntimeError("boom"))).message.endswith("RuntimeError: boom")
    assert (await failure(stage, None)).code == "command_broken"
    assert (await failure(stage, Completed({"a": object()}))).code == "invalid_output"
    assert (await failure(stage, Completed({"a": float("nan")}))).code == "invalid_output"
    assert (await failure(stage, Completed({}), token="t")).code == "not_resumable"


async def test_outputs_are_bounded(stage: Stage) -> None:
    """Too large an output fails what completed, and is dropped from what ended otherwise."""
    large = {"a": "x" * 2000}
    assert (await failure(stage, Completed(large))).code == "output_too_large"
    kept = await failure(stage, Failed("own_code", "why", output=large))
    assert (kept.code, kept.output) == ("own_code", {})
    waiting = await scripted(stage, Deferred("t", None, large))
    assert waiting == Deferred("t", None, {})


async def test_resume_reaches_the_command(stage: Stage) -> None:
    """A token resumes."""
    outcome = await perform(CATALOG, "wait", {"seconds": 60}, stage.context(), "0/1")
    assert isinstance(outcome, Completed)


async def test_interrupted_through_perform(stage: Stage) -> None:
    """The deadline reaches the command."""
    context = stage.context(deadline_s=0.01)
    assert isinstance(await perform(CATALOG, "wait", {"seconds": 3}, context), TimedOut)


def test_third_party_command_runs_or_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry point with a parameters model is in the catalogue; one without is a problem."""
    (tmp_path / "acme_commands.py").write_text(
        "from tests.unit.commands.test_perform import Scripted\n"
        "good = Scripted(None)\n"
        "bad = Scripted(None)\n"
        "bad.spec = bad.spec.model_copy(update={'name': 'acme-bad'})\n"
        "bad.parameters = dict\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    entries = [EntryPoint(name, f"acme_commands:{name}", GROUP) for name in ("good", "bad")]
    catalog = CommandCatalog.installed(entries=entries)
    assert "acme-scripted" in catalog
    assert "acme-scripted" in catalog.registry
    (problem,) = catalog.registry.problems
    assert "'parameters'" in problem.message


def test_a_third_party_that_captures_says_what_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What claims to be captured and cannot tell what it changes is no command: a step of it would
    run without what it is about to change being kept."""
    (tmp_path / "acme_captures.py").write_text(
        "from tests.unit.commands.test_perform import Scripted\n"
        "bad = Scripted(None)\n"
        "bad.spec = bad.spec.model_copy(update={'captures': ('files',)})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    catalog = CommandCatalog.installed(entries=[EntryPoint("bad", "acme_captures:bad", GROUP)])
    assert "acme-scripted" not in catalog
    (problem,) = catalog.registry.problems
    assert "'changes'" in problem.message
