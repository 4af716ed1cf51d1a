"""The client reads answers as contracts and refusals as sentences with an exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from services.cli import app, options
from services.cli.client import Gateway
from services.cli.connection import Connection, find_connection
from services.cli.outcome import CliError, ExitCode, exit_code_of
from shared.contracts.api.executions import ExecuteRequest

KEY = "hk_secret"
Handler = Callable[[httpx.Request], httpx.Response]


def gateway(handler: Handler) -> Gateway:
    """A client whose network is a function."""
    return Gateway(Connection("http://gateway.test", KEY), httpx.MockTransport(handler))


def summary(name: str) -> dict[str, Any]:
    """A template as lists show it."""
    return {
        "id": name,
        "version": "1.0.0",
        "name": name,
        "steps": 1,
        "content_hash": "0" * 64,
        "created_at_ms": 1,
    }


def test_pages_are_read_to_the_end() -> None:
    """Lists follow the cursor, with the key and without empty filters."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        first = "cursor" not in request.url.params
        page = {"items": [summary("a" if first else "b")], "next_cursor": "c1" if first else None}
        return httpx.Response(200, json=page)

    assert [one.id for one in gateway(answer).templates(category="custom")] == ["a", "b"]
    assert dict(seen[1].url.params) == {"category": "custom", "limit": "100", "cursor": "c1"}
    assert seen[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_refusal_names_field_and_fix() -> None:
    """Problem details become one sentence and one line per field."""
    problem = {
        "type": "urn:hive:problem:invalid_parameters",
        "title": "Invalid parameters",
        "status": 422,
        "detail": "The parameters do not fit incident_response 1.0.0.",
        "errors": [
            {"field": "parameters/severity", "message": "'hi' is not one of …", "fix": "use high"}
        ],
    }
    client = gateway(lambda _: httpx.Response(422, json=problem))
    with pytest.raises(CliError) as caught:
        client.execute(ExecuteRequest(template_id="incident_response"), idempotency_key="k")
    assert caught.value.code is ExitCode.BAD_INPUT
    assert caught.value.sentences().splitlines() == [
        "The parameters do not fit incident_response 1.0.0.",
        "  parameters/severity: 'hi' is not one of … (use high)",
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ExitCode.NOT_REACHABLE),
        (403, ExitCode.NOT_REACHABLE),
        (404, ExitCode.BAD_INPUT),
        (409, ExitCode.BAD_INPUT),
        (413, ExitCode.BAD_INPUT),
        (500, ExitCode.NOT_REACHABLE),
        (503, ExitCode.NOT_REACHABLE),
    ],
)
def test_a_refusal_without_details_still_has_a_sentence(status: int, code: ExitCode) -> None:
    """A proxy's HTML page is no reason for a traceback."""
    client = gateway(lambda _: httpx.Response(status, text="<html>"))
    with pytest.raises(CliError, match=f"answered {status}") as caught:
        client.execution("ex_1")
    assert caught.value.code is code


def test_an_answer_of_another_version_is_said() -> None:
    """What is not the contract is named with its place."""
    client = gateway(lambda _: httpx.Response(200, json={"items": [{}]}))
    with pytest.raises(CliError, match="items/0/id: Field required"):
        list(client.templates())


def test_no_gateway_is_said() -> None:
    """A refused connection is exit code 3 and says where to look."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    with pytest.raises(CliError, match="cannot be reached: Connection refused") as caught:
        gateway(refuse).execution("ex_1")
    assert caught.value.code is ExitCode.NOT_REACHABLE


def test_names_never_leave_their_part_of_the_path() -> None:
    """An id with a slash asks for that id, not for another path."""
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(404)

    with pytest.raises(CliError):
        gateway(answer).execution("../keys?x")
    assert asked == [b"/api/v1/workflows/executions/..%2Fkeys%3Fx"]


def test_where_the_gateway_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options win over the environment, and that wins over the stack's files."""
    monkeypatch.setenv("HIVE_HOME", str(tmp_path))
    monkeypatch.delenv("HIVE_URL", raising=False)
    monkeypatch.delenv("HIVE_API_KEY", raising=False)
    with pytest.raises(CliError, match="hv up"):
        find_connection(None, None)
    with pytest.raises(CliError, match="API key cannot be read"):
        find_connection("http://127.0.0.1:1", None)
    (tmp_path / "admin.key").write_text("hk_file\n", encoding="utf-8")
    assert find_connection("http://127.0.0.1:1/", None) == Connection(
        "http://127.0.0.1:1", "hk_file"
    )
    monkeypatch.setenv("HIVE_API_KEY", "hk_env")
    monkeypatch.setenv("HIVE_URL", "https://hive.example")
    found = find_connection(None, None)
    assert (found.url, found.key) == ("https://hive.example", "hk_env")
    assert found.socket_url("/x") == "wss://hive.example/x"
    assert "hk_env" not in repr(found)
    with pytest.raises(CliError, match="is not an address"):
        find_connection("localhost:8902", None)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("completed", 0),
        ("completed_with_errors", 1),
        ("failed", 1),
        ("rolled_back", 1),
        ("cancelled", 4),
        ("running", 5),
        ("waiting", 5),
        ("paused", 5),
    ],
)
def test_exit_codes(status: str, code: int) -> None:
    """Zero means completed and nothing else."""
    assert exit_code_of(status) == code


def test_with_json_an_error_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output stays machine-readable, the sentence goes to standard error."""
    monkeypatch.setattr(
        options, "find_connection", lambda _url, _key: Connection("http://127.0.0.1:9", KEY)
    )
    done = CliRunner().invoke(app.build(), ["show", "ex_1", "--json"])
    assert done.exit_code == ExitCode.NOT_REACHABLE
    assert json.loads(done.stdout)["error"]["exit_code"] == 3
    assert done.stderr.startswith("hv: The gateway at http://127.0.0.1:9 cannot be reached")


def test_completion_is_silent_without_a_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that completes is no place for errors."""
    monkeypatch.setenv("HIVE_HOME", str(tmp_path))
    monkeypatch.delenv("HIVE_URL", raising=False)
    assert options.complete_templates("inc") == []
    assert options.complete_executions("ex_") == []


@pytest.mark.parametrize(
    ("url", "encrypted"), [("https://hive.example", True), ("http://127.0.0.1:8902", False)]
)
def test_certificates_are_read_where_there_are_any(url: str, encrypted: bool) -> None:
    """Over https the gateway's certificate is verified; over http there is none to verify."""
    assert Connection(url, KEY).is_encrypted is encrypted
