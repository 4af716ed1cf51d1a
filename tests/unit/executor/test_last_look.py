"""The last look before a command begins: what is cancelled or too late is never begun."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from services.executor.commands.base import Cancelled, Completed, Failed, Outcome
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.running_records import RunningRecords
from services.executor.policy import Policy
from services.executor.runner.attempt import Workbench, run_attempt
from services.executor.runner.grant import RELY_S, Grant
from services.executor.runner.identity import Held
from services.executor.runner.progress import Progress
from services.executor.runner.redaction import Redaction
from services.executor.secrets.vault import Vault
from shared.contracts.tasks import LogChunk, Task
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.secrets import MemorySecrets
from shared.memory.tasks import MemoryTaskFeed
from shared.runtime.clock import SystemClock
from shared.runtime.sealing import Sealer
from shared.workflow.late import LateParameters
from tests.takers import taker

SECRET = "s3cret-value"


class _NoLogs:
    async def write(self, chunk: LogChunk) -> None:
        """Forget it."""


def _workbench(home: Path, policy: Policy) -> Workbench:
    catalog = CommandCatalog.installed()
    return Workbench(
        agent="one",
        host="h",
        clock=SystemClock(),
        commands=catalog,
        policy=policy,
        sealer=Sealer(Fernet.generate_key()),
        vault=Vault("one", [MemorySecrets({"TOKEN": SECRET, "SHORT": "abc"})], policy),
        data_dir=home,
        output_limit_bytes=65_536,
        hive=None,
        running=RunningRecords(home / "running"),
        taker=taker(catalog, SystemClock()),
    )


async def _held(command: str, late: LateParameters | None = None, **parameters: object) -> Held:
    bus = MemoryBus()
    task = Task(
        execution_id="ex_1",
        template_id="t",
        step="a",
        attempt=1,
        leg=0,
        command=command,
        parameters=parameters,
        timeout_s=20,
        late=late,
    )
    effects = MemoryEffects(bus)
    effects.task("any._", task, again=False)
    await effects.commit()
    feed = MemoryTaskFeed(bus, "one", [], slots=1)
    await feed.start()
    [delivery] = await feed.take(1)
    return Held(delivery, task)


async def _run(held: Held, home: Path, policy: Policy | None = None) -> tuple[Outcome, Redaction]:
    workbench = _workbench(home, policy or Policy())
    redaction = Redaction(workbench.sealer, ())
    progress = Progress(held, "one", _NoLogs(), workbench.clock, redaction)
    outcome = await run_attempt(workbench, held, progress, redaction)
    await progress.close()
    return outcome, redaction


async def _touching(trace: Path) -> Held:
    return await _held("shell", argv=["touch", str(trace)])


async def test_a_good_grant_lets_it_begin(tmp_path: Path) -> None:
    """The command runs."""
    held = await _touching(tmp_path / "trace")
    held.grant = Grant(7, 100.0, lambda: 100.0 + RELY_S)
    outcome, _ = await _run(held, tmp_path)
    assert isinstance(outcome, Completed)
    assert (tmp_path / "trace").exists()


async def test_a_grant_that_ran_out_keeps_it_from_beginning(tmp_path: Path) -> None:
    """Nothing is run, and the failure says so and may be tried again."""
    held = await _touching(tmp_path / "trace")
    held.grant = Grant(7, 100.0, lambda: 100.1 + RELY_S)
    outcome, _ = await _run(held, tmp_path)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("start_too_late", True)
    assert not (tmp_path / "trace").exists()


async def test_what_was_told_to_stop_never_begins(tmp_path: Path) -> None:
    """Nothing is run, and the proof says so."""
    held = await _touching(tmp_path / "trace")
    held.cancelled.set()
    outcome, _ = await _run(held, tmp_path)
    assert isinstance(outcome, Cancelled)
    assert (outcome.proof.gone, outcome.proof.pids) == (True, ())
    assert "nothing was run" in outcome.proof.reason
    await asyncio.sleep(0.05)
    assert not (tmp_path / "trace").exists()


def _late(*secrets: str) -> LateParameters:
    return LateParameters(places=(("echo", "x"),), secrets=secrets)


async def test_a_secret_is_put_where_the_author_wrote_it(tmp_path: Path) -> None:
    """The command gets the value, and whatever was made of it is hidden and sealed afterwards."""
    text = "${{ secrets.TOKEN.upperAscii().replace('-', '.') }} of me"
    held = await _held("noop", _late("TOKEN"), echo={"x": text})
    outcome, redaction = await _run(held, tmp_path)
    assert isinstance(outcome, Completed)
    assert outcome.output["echo"] == {"x": "S3CRET.VALUE of me"}
    assert redaction.masked(f"{SECRET} and S3CRET.VALUE") == "*** and ***"
    assert redaction.sealed(outcome.output)["echo"]["x"].startswith("sealed:v1:")


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("GONE", "secret_missing", "agent one has no secret GONE: asked memory"),
        ("SHORT", "secret_unusable", "could not be hidden"),
    ],
)
async def test_a_secret_that_cannot_be_had_is_told(
    name: str, code: str, told: str, tmp_path: Path
) -> None:
    """The failure names agent, secret and places; a value too short to be hidden is not used."""
    held = await _held("noop", _late(name), echo={"x": f"${{{{ secrets.{name} }}}}"})
    outcome, _ = await _run(held, tmp_path)
    assert isinstance(outcome, Failed)
    assert outcome.code == code
    assert told in outcome.message


async def test_a_policy_says_which_step_may_have_a_secret(tmp_path: Path) -> None:
    """A use that no rule allows, or one denies, is refused by that rule."""
    held = await _held("noop", _late("TOKEN"), echo={"x": "${{ secrets.TOKEN }}"})
    other = {"secrets": {"allow": [{"names": ["TOKEN"], "commands": ["http"]}]}}
    outcome, _ = await _run(held, tmp_path, Policy.model_validate(other))
    assert isinstance(outcome, Failed)
    assert outcome.code == "refused_by_policy"
    assert "secrets.allow: no entry matches 'TOKEN'" in outcome.message
    fits = {"secrets": {"allow": [{"names": ["T*"], "commands": ["noop"], "templates": ["t"]}]}}
    outcome, _ = await _run(held, tmp_path, Policy.model_validate(fits))
    assert isinstance(outcome, Completed)
    denied = {"secrets": {"deny": [{"templates": ["t"]}]}}
    outcome, _ = await _run(held, tmp_path, Policy.model_validate(denied))
    assert isinstance(outcome, Failed)
    assert "secrets.deny[0]" in outcome.message
