"""The six built-in templates run to their end, for real, on three agents."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.hv_process import Hv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AGENTS = ("web-1:role=web:nginx", "db-1:role=db:postgres", "ops-1:role=ops:backup")
FILES = [{"path": "site.conf", "content": "listen 8080;\n"}]

RUNS: dict[str, dict[str, str]] = {
    "incident_response": {"title": "Orders are slow", "description": "p95 above 2 s since 14:02"},
    "security_alert": {"title": "Outdated OpenSSL", "details": "Everything before 3.0.12."},
    "maintenance_window": {"title": "Kernel update", "max_system_load": "100"},
    "knowledge_sharing": {
        "topic": "Restarting the message broker",
        "knowledge": "Stop the consumers first.",
    },
    "config_update": {
        "bundle": "web",
        "files": json.dumps(FILES),
        "summary": "The web servers listen on port 8080.",
    },
    "task_delegation": {"task": "Rotate the certificates.", "wait_for": "completed"},
}
PATIENCE_S = 60.0
APPROVED = {"maintenance_window", "config_update"}


@pytest.fixture(scope="module")
def hv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hv]:
    """The stack with three agents, and somebody who answers delegated tasks."""
    run = Hv(tmp_path_factory.mktemp("hive"))
    agents = [part for agent in AGENTS for part in ("--agent", agent)]
    up = run("up", "--detach", "--durability", "relaxed", *agents)
    try:
        assert up.code == 0, up.err
        with responder(run):
            yield run
    finally:
        run("down")


@contextmanager
def responder(hv: Hv) -> Iterator[None]:
    """A participant that takes what is offered to it."""
    process = hv.start("responder")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not hv("agents", "--json").json()["participants"]:
            assert time.monotonic() < deadline, "the responder did not register"
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("template", list(RUNS))
def test_it_completes(hv: Hv, template: str) -> None:
    """Its steps run in their order, and it ends as completed."""
    given = [part for name, value in RUNS[template].items() for part in ("-p", f"{name}={value}")]
    started = hv("run", template, *given, "--json")
    assert started.code == 0, started.err
    execution = str(started.json()["execution_id"])
    if template in APPROVED:
        assert hv("approve", execution).code == 0
    watched = hv("watch", execution)
    assert watched.code == 0, watched.out + watched.err
    shown = hv("show", execution, "--json").json()
    assert {step["status"] for step in shown["steps"]} <= {"completed", "skipped"}
    assert None not in shown["outputs"].values()
