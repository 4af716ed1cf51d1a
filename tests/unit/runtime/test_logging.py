"""What reaches the log, in both forms."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog

from shared.runtime.logging import TELL_TALES, LogFormat, configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Other tests log as if nothing had been configured."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    told = {name: logging.getLogger(name).level for name in TELL_TALES}
    yield
    for name, before in told.items():
        logging.getLogger(name).setLevel(before)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("form", list(LogFormat))
def test_a_traceback_never_shows_variables(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of the code are there, the values of its variables are not: one may be a secret."""
    configure_logging("gateway", form=form)
    password = "-".join(("hunter", "2"))
    try:
        raise ValueError(f"{len(password)} characters")
    except ValueError:
        structlog.get_logger().exception("failed", step="a")
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert password not in written


def test_production_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, with service, level, time and what is bound; also of libraries."""
    configure_logging("gateway", form=LogFormat.JSON)
    with structlog.contextvars.bound_contextvars(request="r1"):
        structlog.get_logger().info("request", status=202)
    logging.getLogger("library").warning("careful")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["service"], first["level"], first["request"]) == ("gateway", "info", "r1")
    assert (first["event"], first["status"]) == ("request", 202)
    assert (second["event"], second["level"]) == ("careful", "warning")


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
async def test_libraries_do_not_log_what_they_send(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the address of a request nor its headers get into the log, at any level."""
    configure_logging("tests", level=level)
    transport = httpx.MockTransport(lambda _request: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("http://localhost/?key=s3cret", headers={"authorization": "s3cret"})
    with contextlib.suppress(httpx.ConnectError):
        async with httpx.AsyncClient() as client:
            await client.get("http://127.0.0.1:9/?key=s3cret", headers={"x": "s3cret"})
    assert "s3cret" not in capsys.readouterr().err
