"""`secrets.NAME`: resolved on the agent that runs the step, and to be found nowhere else."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from shared.runtime.secret_store import KEY_FILE, STORE_FILE, SecretStore
from shared.workflow.state import ExecutionState
from tests.integration.executor.argument_watch import watched_arguments
from tests.integration.executor.leaks import leaks
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

FROM_ENVIRONMENT = f"env{secrets.token_hex(12)}"
FROM_FILE = f"file/{secrets.token_hex(12)}+&"
FROM_CREDENTIALS = f"cred{secrets.token_hex(12)}"
FROM_STORE = f"store{secrets.token_hex(12)}"
FORBIDDEN = f"never{secrets.token_hex(12)}"
ALL = (FROM_ENVIRONMENT, FROM_FILE, FROM_CREDENTIALS, FROM_STORE)
POLICY = """
secrets:
  deny:
    - {names: ["ROOT_*"]}
    - {names: ["STORED"], commands: ["http"]}
"""


async def _agent(world: World) -> None:
    """An agent with one secret from each provider, whose policy forbids two uses."""
    if "one" in world.executors:
        return
    outside = world.home.parent / f"{world.home.name}-secrets"
    for folder, name, text in (
        ("run", "db-password", f"{FROM_FILE}\n"),
        ("run", "ROOT_PASSWORD", FORBIDDEN),
        ("credentials", "SIGNING", FROM_CREDENTIALS),
    ):
        (outside / folder).mkdir(parents=True, exist_ok=True)
        (outside / folder / name).write_text(text, encoding="utf-8")
    SecretStore(world.home / STORE_FILE, world.home / KEY_FILE).put("STORED", FROM_STORE, 1)
    policy = world.home / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    await world.executor(
        "one",
        secrets_env="API_TOKEN,ABSENT",
        secrets_dirs=outside / "run",
        agent_policy=policy,
        API_TOKEN=FROM_ENVIRONMENT,
        CREDENTIALS_DIRECTORY=outside / "credentials",
    )


def _code(state: ExecutionState, step: str) -> tuple[str, str]:
    failure = state.steps[step].failure
    assert failure is not None, f"{step} did not fail"
    return failure.code, failure.message


def _writes(step: str, got: Path, env: dict[str, str], **rest: Any) -> dict[str, Any]:
    """A step that writes the variable VALUE to a file, and says it in every way it can."""
    script = 'printf "%s" "$VALUE" > "$GOT"; echo "$VALUE"; echo "$VALUE" >&2'
    made = shell(step, script, **rest)
    made["parameters"]["env"] = {**env, "GOT": str(got)}
    return made


async def test_a_full_run_leaves_no_secret_anywhere(world: World) -> None:
    """Secrets of every provider reach the program that uses them, alone and mixed with other
    values; no collection, stream, bucket, object, log or kept file has them afterwards, and no
    process has one among its arguments while they are used, in clear or encoded."""
    await _agent(world)
    got = {name: world.home.parent / f"{world.home.name}-{name}" for name in "abcde"}
    mixed = '${{ "Bearer " + secrets.API_TOKEN + " for " + params.who }}'
    steps = [
        _writes("a", got["a"], {"VALUE": mixed}),
        _writes("b", got["b"], {"VALUE": "${{ secrets.db_password }}"}),
        _writes("c", got["c"], {"VALUE": "<${{ secrets.SIGNING }}|${{ secrets.STORED }}>"}),
        _writes("d", got["d"], {"VALUE": "${{ steps.a.output.stdout }}"}, depends_on=["a"]),
        shell(
            "e",
            f"cat > {got['e']}; base64 -w0 < {got['e']}; sleep 0.2",
            depends_on=["b"],
            parameters={"stdin": "${{ secrets.db_password + steps.b.output.stdout }}"},
        ),
        noop("holds", "${{ [secrets.STORED, params.who] }}", depends_on=["c"]),
    ]
    outputs = {"said": "${{ steps.a.output.stdout }}", "held": "${{ steps.holds.output.echo }}"}
    parameters = {"who": {"type": "string", "default": "anna"}}
    template = await world.template("full", steps, outputs=outputs, parameters=parameters)
    with watched_arguments(*ALL) as watch:
        state = await world.ended(await world.request(template, who="anna"))
    assert state.status == "completed"
    texts = {name: file.read_text(encoding="utf-8") for name, file in got.items()}
    assert texts == {
        "a": f"Bearer {FROM_ENVIRONMENT} for anna",
        "b": FROM_FILE,
        "c": f"<{FROM_CREDENTIALS}|{FROM_STORE}>",
        "d": f"Bearer {FROM_ENVIRONMENT} for anna\n",
        "e": f"{FROM_FILE}{FROM_FILE}\n",
    }
    assert state.outputs["said"].startswith("sealed:v1:")
    assert (watch.seen, watch.looks > 0) == (set(), True)
    encoded = base64.b64encode(texts["e"].encode()).decode()
    for text in (*ALL, *texts.values(), quote(FROM_FILE, safe=""), encoded):
        assert await leaks(world, text) == []


async def test_the_watch_sees_arguments(world: World) -> None:
    """A secret that an author does put into an argument is seen there: the watch can see."""
    await _agent(world)
    argv = ["sh", "-c", "sleep 0.3", "sh", "${{ secrets.API_TOKEN }}"]
    step = {"id": "a", "command": "shell", "parameters": {"argv": argv}}
    with watched_arguments(FROM_ENVIRONMENT) as watch:
        assert (await world.run("argued", [step])).status == "completed"
    assert watch.seen == {FROM_ENVIRONMENT}
    assert await leaks(world, FROM_ENVIRONMENT) == []


async def test_what_an_agent_does_not_give(world: World) -> None:
    """A missing secret names the agent, the secret and the places asked; the policy's refusal names
    its rule; a command that would pass a secret on does not get it; an expression that fails on a
    secret does not quote it. None of these runs anything."""
    await _agent(world)
    rest = {"continue_on_failure": True}
    trace = world.home / "given-trace"

    def uses(step: str, text: str) -> dict[str, Any]:
        return shell(step, f"touch {trace}", parameters={"env": {"X": text}}, **rest)

    url = "http://127.0.0.1:9/${{ secrets.STORED }}"
    steps: list[dict[str, Any]] = [
        uses("missing", "${{ secrets.NOWHERE }}"),
        uses("unset", "${{ secrets.ABSENT }}"),
        uses("denied", "${{ secrets.ROOT_PASSWORD }}"),
        uses("fails", "${{ int(secrets.STORED) }}"),
        {"id": "other", "command": "http", "parameters": {"url": url}, **rest},
        {
            "id": "tells",
            "command": "remember",
            "parameters": {"content": "${{ secrets.STORED }}", "category": "notes"},
            **rest,
        },
    ]
    state = await world.run("not_given", steps)
    code, message = _code(state, "missing")
    assert code == "secret_missing"
    for part in ("one", "NOWHERE", "HIVE_SECRETS_ENV", "-secrets/run", "credentials", STORE_FILE):
        assert part in message
    assert _code(state, "unset")[0] == "secret_missing"
    code, message = _code(state, "denied")
    assert code == "refused_by_policy"
    assert "secrets.deny[0]" in message
    assert "secrets.deny[1]" in _code(state, "other")[1]
    assert _code(state, "tells")[0] == "secret_refused"
    code, message = _code(state, "fails")
    assert code == "expression_error"
    assert FROM_STORE not in message
    assert not trace.exists()
    assert await leaks(world, FROM_STORE) == []


async def test_what_a_run_is_given_is_no_expression(world: World) -> None:
    """Who may start a workflow cannot ask for secrets by its parameters: what they hold is text."""
    await _agent(world)
    asked = "${{ secrets.STORED }}"
    env = {"A": "${{ params.who }}", "B": "${{ secrets.API_TOKEN + params.who }}"}
    step = shell("a", 'printf "%s" "$A"', parameters={"env": env})
    parameters = {"who": {"type": "string"}}
    template = await world.template("injected", [step], parameters=parameters)
    state = await world.ended(await world.request(template, who=asked))
    assert state.steps["a"].output["stdout"] == asked
    assert await leaks(world, FROM_STORE) == []


async def test_a_listed_variable_is_no_one_elses(world: World) -> None:
    """A variable that is a secret is not passed on to programs, not even to one that names it."""
    await _agent(world)
    step = shell("a", 'printf "%s" "${API_TOKEN-none}"', parameters={"env_allow": ["API_TOKEN"]})
    state = await world.run("inherited", [step])
    assert state.steps["a"].output["stdout"] == "none"


async def test_programs_get_the_fencing_token(world: World) -> None:
    """A program finds its attempt's fencing token in its environment, higher in the next attempt,
    and the same as the state tells."""
    await _agent(world)
    book = world.home / "tokens"
    retry = {"max_attempts": 2, "delay_s": 0}
    step = shell(
        "a", f'echo "$HIVE_FENCING_TOKEN" >> {book}; [ $(wc -l < {book}) = 2 ]', retry=retry
    )
    state = await world.run("tokens", [step])
    first, second = map(int, book.read_text(encoding="utf-8").split())
    assert 0 < first < second == state.steps["a"].fence
