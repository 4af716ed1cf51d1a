"""Several services in one process: each with what is its own, and all of them with one end."""

from __future__ import annotations

import asyncio
import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from services.together import host


def serves(*, returns: bool = False, fails: bool = False) -> Any:
    """A service that serves until it is stopped, unless it returns or fails before."""

    async def serve(stop: asyncio.Event) -> None:
        if fails:
            raise OSError("no room")
        if not returns:
            await stop.wait()

    return serve


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "no service is named"), (["gateway", "executor"], "cannot host executor")],
)
def test_what_cannot_be_hosted_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the names of what can."""
    with pytest.raises(SystemExit) as ended:
        host.main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert "gateway, learning, rollback, suggestion, validator" in told


@pytest.mark.parametrize("text", ["{", "[1]", '{"rollback": 1}'])
def test_an_environment_that_means_nothing_is_said(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything starts."""
    monkeypatch.setenv(host.VARIABLE, text)
    with pytest.raises(SystemExit) as ended:
        host.main(["rollback"])
    assert ended.value.code == 2
    assert "HIVE_TOGETHER" in capsys.readouterr().err


def test_a_service_reads_what_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody reads it afterwards."""
    seen: dict[str, str | None] = {}

    def service() -> Any:
        seen.update(url=os.environ.get("HIVE_NATS_URL"), home=os.environ.get("HIVE_HOME"))
        return serves()

    monkeypatch.setattr(host, "import_module", lambda _name: SimpleNamespace(service=service))
    monkeypatch.setenv("HIVE_NATS_URL", "nats://everybody")
    monkeypatch.setenv("HIVE_HOME", "/home")
    host.prepared("rollback", {"HIVE_NATS_URL": "nats://rollback"})
    assert seen == {"url": "nats://rollback", "home": "/home"}
    assert os.environ["HIVE_NATS_URL"] == "nats://everybody"


def test_main_runs_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own environment, which others in the process cannot read."""
    ran: list[Any] = []
    own: dict[str, str | None] = {}

    def module(name: str) -> Any:
        def service() -> Any:
            own[name] = os.environ.get("HIVE_METRICS_PORT")
            return serves(returns=True)

        return SimpleNamespace(service=service)

    monkeypatch.setattr(host, "import_module", module)
    monkeypatch.setattr(host, "run_service", ran.append)
    monkeypatch.setenv(host.VARIABLE, json.dumps({"validator": {"HIVE_METRICS_PORT": 1}}))
    host.main(["rollback", "validator"])
    assert own == {"services.rollback.bootstrap": None, "services.validator.bootstrap": "1"}
    assert len(ran) == 1
    assert host.VARIABLE not in os.environ


async def test_all_serve_until_they_are_stopped() -> None:
    """Each says its name with what it logs."""
    stop = asyncio.Event()
    names: list[str] = []

    async def says(event: asyncio.Event) -> None:
        names.append(structlog.contextvars.get_contextvars()["service"])
        await event.wait()

    serving = asyncio.create_task(host.serve_all({"a": says, "b": says}, stop))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stop.set()
    await serving
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "why"),
    [(serves(returns=True), host.ServiceEndedError), (serves(fails=True), OSError)],
)
async def test_the_end_of_one_is_the_end_of_all(one: Any, why: type[Exception]) -> None:
    """The process is started again as a whole."""
    with pytest.raises(ExceptionGroup) as ended:
        await host.serve_all({"a": serves(), "b": one}, asyncio.Event())
    assert ended.group_contains(why)
