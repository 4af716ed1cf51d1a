"""What people run is learned, shown and suggested, by `hv` over a whole stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hv_process import Hv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE_S = 60.0
COMMANDS = ("git pull", "npm ci", "npm test")
REPORT = """\
id: fetch_report
name: Fetch the report
description: Fetches the nightly report of a customer from the archive.
category: maintenance
situations: ["the nightly report of a customer is wanted", "customers ask for last night's report"]
parameters:
  customer: {type: string, pattern: "^[a-z]+$"}
steps:
  - id: fetch
    command: shell
    parameters:
      argv: [sh, -c, 'echo "archive: customer $0 is locked" >&2; exit 3', "${{ params.customer }}"]
    irreversible: it only reads
"""


@pytest.fixture(scope="module")
def hv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hv]:
    """The stack with one agent."""
    run = Hv(tmp_path_factory.mktemp("hive"))
    up = run("up", "--detach", "--durability", "relaxed", "--agent", "solo")
    try:
        assert up.code == 0, up.err
        yield run
    finally:
        run("down")


def until(ask: Callable[[], Any]) -> Any:
    """What `ask` gives once it gives something."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := ask()):
        assert time.monotonic() < deadline, "it was not learned in time"
    return found


def test_the_next_command(hv: Hv) -> None:
    """After a few sessions it is known what comes next, and whose habit that is; a command that is
    forgotten is suggested no more."""
    for session in range(3):
        for command in COMMANDS:
            told = hv("record", "--session", f"s{session}", "--exit", "0", "--", *command.split())
            assert told.code == 0, told.err

    def known() -> Any:
        asked = hv("next", "--after", "git pull", "--json").json()["suggestions"]
        return asked and asked[0]["command"] == "npm ci" and asked[0]

    first = until(known)
    assert first["reasons"][0]["whose"] == "you"
    assert hv("forget", "npm ci").code == 0

    def forgotten() -> bool:
        asked = hv("next", "--after", "git pull", "--json").json()["suggestions"]
        return "npm ci" not in [one["command"] for one in asked]

    until(forgotten)


def test_a_failure_is_known(hv: Hv, tmp_path: Path) -> None:
    """Two runs that fail alike: counted, predicted by, told as one failure, remembered, and said
    where the workflow is suggested."""
    file = tmp_path / "report.yaml"
    file.write_text(REPORT, encoding="utf-8")
    assert hv("templates", "create", str(file)).code == 0
    for customer in ("acme", "umbrella"):
        assert hv("run", "fetch_report", "-p", f"customer={customer}", "--watch").code != 0

    def counted() -> Any:
        found = hv("failures", "--json").json()["items"]
        return found and found[0]["runs"] == 2 and found[0]

    assert "customer <*> is locked" in until(counted)["pattern"]
    assert "0 of 2 runs succeeded" in hv("predict", "fetch_report").out
    assert "2 runs, 0 %" in hv("analytics", "fetch_report").out
    assert "acme is locked" in until(lambda: hv("recall", "fetch report acme").out)

    def suggested() -> str:  # a new template is learned within seconds
        said = hv("suggest", "a customer asks for the report of last night").out
        return said if "fetch_report" in said.splitlines()[0] else ""

    assert "0 of 2 runs completed" in until(suggested)
