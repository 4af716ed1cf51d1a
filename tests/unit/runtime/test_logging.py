"""What reaches the log, in both forms."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.runtime.logging import LogFormat, configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Other tests log as if nothing had been configured."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
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
