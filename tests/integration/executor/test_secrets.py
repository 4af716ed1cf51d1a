"""Sealed values in the wrong hands: what would pass them on is refused, what echoes them is hidden.

On real servers, searched through afterwards.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import quote

import pytest

from shared.workflow.state import ExecutionState
from tests.integration.executor.leaks import leaks
from tests.integration.executor.world import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

VALUE = "${{ steps.login.output.stdout }}"
FILES = [{"path": "conf/a.txt", "content": "fine"}, {"path": "conf/b.txt", "content": VALUE}]

GIVEN_AWAY: dict[str, tuple[str, dict[str, Any], str]] = {
    "remembers": ("remember", {"content": f"it is {VALUE}", "category": "notes"}, "content"),
    "tags": ("remember", {"content": "fine", "category": "notes", "tags": [VALUE]}, "tags[0]"),
    "broadcasts": ("hv-broadcast", {"message": VALUE, "category": "notes"}, "message"),
    "delegates": ("hv-delegate", {"task": "fine", "details": {"password": VALUE}}, "details"),
    "syncs": ("hv-sync", {"operation": "push", "bundle": "b", "files": FILES}, "files[1].content"),
    "queries": ("hv-query", {"query": VALUE}, "query"),
    "recalls": ("recall", {"query": VALUE}, "query"),
    "asks": ("hv-status", {"agents": [VALUE]}, "agents[0]"),
}
"""By step: command, parameters, and the place of the sealed value."""


async def _one(world: World) -> None:
    if "one" not in world.executors:
        await world.executor("one")


def _login(world: World, secret: str) -> dict[str, Any]:
    vault = world.home / secrets.token_hex(4)
    vault.write_text(secret, encoding="utf-8")
    return shell("login", f"cat {vault}", sensitive=["stdout"])


def _code(state: ExecutionState, step: str) -> str:
    failure = state.steps[step].failure
    assert failure is not None, f"{step} did not fail"
    return failure.code


async def test_the_search_finds_what_is_stored(world: World) -> None:
    """What is given to these commands in clear is found in collections, events, the object store,
    logs and files: the search that the other tests rely on can find."""
    await _one(world)
    text = f"clear{secrets.token_hex(12)}"
    steps = [
        {"id": name, "command": command, "parameters": parameters}
        for name, command, parameters in (
            ("remembers", "remember", {"content": text, "category": "notes"}),
            ("broadcasts", "hv-broadcast", {"message": text, "category": "notes"}),
            (
                "syncs",
                "hv-sync",
                {"operation": "push", "bundle": "c", "files": [{"path": "a", "content": text}]},
            ),
        )
    ]
    assert (await world.run("in_clear", steps)).status == "completed"
    places = "\n".join(await leaks(world, text))
    for place in ("memories", "broadcasts", "OBJ_", "EVENTS", "one.log", "agents/one/"):
        assert place in places


async def test_what_would_pass_a_secret_on_is_refused(world: World) -> None:
    """Every hive command refuses a sealed parameter, names it and says what to do; the secret is in
    no collection, stream, bucket, object, log or file afterwards."""
    await _one(world)
    secret = f"s3cret{secrets.token_hex(12)}"
    rest = {"depends_on": ["login"], "continue_on_failure": True}
    uses = [
        {"id": name, "command": command, "parameters": parameters, **rest}
        for name, (command, parameters, _) in GIVEN_AWAY.items()
    ]
    state = await world.run("given_away", [_login(world, secret), *uses])
    assert state.status == "completed_with_errors"
    for name, (command, _, place) in GIVEN_AWAY.items():
        failure = state.steps[name].failure
        assert failure is not None, name
        assert failure.code == "secret_refused"
        assert failure.message.startswith(place)
        assert command in failure.message
        assert "leave it out" in failure.message
    assert await leaks(world, secret) == []


async def test_an_echo_in_another_form_is_hidden(world: World) -> None:
    """A secret in an address that cannot be reached, in the answer to one that can, and in base64
    on standard output stays hidden, and is still usable."""
    await _one(world)
    secret = f"s3cret/{secrets.token_hex(12)}+&"
    encoded = base64.b64encode(f"me:{secret}".encode()).decode()
    monitoring = f"http://127.0.0.1:{world.servers.nats.config.http_port}/"
    rest = {"depends_on": ["login"], "continue_on_failure": True}
    got = world.home / "got-encoded"
    steps = [
        _login(world, secret),
        {
            "id": "unreachable",
            "command": "http",
            "parameters": {"url": f"http://127.0.0.1:9/{VALUE}?token={VALUE}"},
            **rest,
        },
        {"id": "absent", "command": "http", "parameters": {"url": monitoring + VALUE}, **rest},
        {
            "id": "encodes",
            "command": "shell",
            "parameters": {
                "script": "printf 'me:%s' \"$TOKEN\" | base64 -w0",
                "env": {"TOKEN": VALUE},
            },
            **rest,
        },
        {
            "id": "uses",
            "command": "shell",
            "depends_on": ["encodes"],
            "parameters": {
                "script": 'printf "%s" "$TEXT" > "$PLACE"',
                "env": {"TEXT": "${{ steps.encodes.output.stdout }}", "PLACE": str(got)},
            },
        },
    ]
    state = await world.run("echoed", steps)
    assert _code(state, "unreachable") == "connection_refused"
    assert _code(state, "absent") == "unexpected_status"
    assert state.steps["encodes"].output["stdout"].startswith("sealed:v1:")
    assert got.read_text(encoding="utf-8") == encoded
    for form in (secret, quote(secret, safe=""), quote(secret), encoded):
        assert await leaks(world, form) == []


async def test_what_is_parsed_is_as_secret_as_its_text(world: World) -> None:
    """With a sensitive `json`, standard output is sealed and its lines are not shown, and the other
    way round; numbers in it are hidden too."""
    await _one(world)
    for field in ("json", "stdout"):
        secret, pin = f"s3cret{secrets.token_hex(12)}", str(secrets.randbelow(10**9) + 10**9)
        document = world.home / f"document-{field}"
        document.write_text(f'{{"token": "{secret}", "pin": {pin}}}', encoding="utf-8")
        parses = shell("a", f"cat {document}", sensitive=[field])
        parses["parameters"]["parse_json"] = True
        prints = {
            "id": "b",
            "command": "shell",
            "depends_on": ["a"],
            "parameters": {"argv": ["echo", f"all ${{{{ steps.a.output.{field} }}}}"]},
        }
        pin_only = {
            "id": "c",
            "command": "shell",
            "depends_on": ["a"],
            "parameters": {
                "script": f"sed 's/.*: //; s/}}//' {document}",
                "env": {"ALL": f"all ${{{{ steps.a.output.{field} }}}}"},
            },
        }
        state = await world.run(f"parsed_{field}", [parses, prints, pin_only])
        assert state.status == "completed"
        for form in (secret, pin):
            assert await leaks(world, form) == []
