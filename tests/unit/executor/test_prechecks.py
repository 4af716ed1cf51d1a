"""What an agent says to "would you run this?", without doing anything of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.executor import prechecks as module
from services.executor.policy import HttpRules, NameRules, Policy, ShellRules
from services.executor.prechecks import Prechecks
from services.executor.secret_rules import SecretRule, SecretRules
from services.executor.secrets.vault import Vault
from shared.contracts.prechecks import (
    CommandUse,
    NetworkAddress,
    PrecheckAnswer,
    PrecheckQuestion,
)
from shared.memory.clock import ManualClock
from shared.memory.secrets import MemorySecrets

SECRET = "a-very-secret-value"
NOW_MS = 1_700_000_000_000


def agent(policy: Policy | None = None, **secrets: str) -> Prechecks:
    chosen = policy or Policy()
    vault = Vault("one", [MemorySecrets(secrets)], chosen)
    return Prechecks(chosen, vault, ManualClock(NOW_MS))


async def ask(prechecks: Prechecks, *uses: CommandUse, **more: Any) -> PrecheckAnswer:
    return await prechecks.answer(PrecheckQuestion(template_id="t", uses=uses, **more))


def shell(**parameters: Any) -> CommandUse:
    return CommandUse(id="a", command="shell", parameters=parameters)


async def test_what_is_allowed_is_not_refused() -> None:
    """And the clock is the agent's own."""
    answer = await ask(agent(), shell(script="true"), shell(argv=["sh", "-c", "x"]))
    assert answer.refusals == ()
    assert answer.now_ms == NOW_MS


@pytest.mark.parametrize(
    ("policy", "use", "rule"),
    [
        (Policy(commands=NameRules(deny=("shell",))), shell(script="true"), "commands.deny"),
        (Policy(shell=ShellRules(allow_scripts=False)), shell(script="true"), "allow_scripts"),
        (Policy(executables=NameRules(deny=("sh",))), shell(argv=["sh"]), "executables.deny"),
        (
            Policy(shell=ShellRules(deny_env=("LD_*",))),
            shell(argv=["sh"], env={"LD_PRELOAD": "x"}),
            "shell.deny_env",
        ),
        (
            Policy(roots=(Path("/srv"),)),
            CommandUse(id="a", command="file", parameters={"path": "/etc/passwd"}),
            "roots",
        ),
    ],
)
async def test_a_refusal_names_its_rule(policy: Policy, use: CommandUse, rule: str) -> None:
    """The policy is asked as the command would ask it."""
    answer = await ask(agent(policy), use)
    assert [refusal.use for refusal in answer.refusals] == ["a"]
    assert rule in answer.refusals[0].rule
    assert answer.refusals[0].fix


async def test_a_script_that_is_not_known_yet_is_a_script() -> None:
    """Where a parameter is only known at run time, that it is given counts."""
    policy = Policy(shell=ShellRules(allow_scripts=False))
    use = CommandUse(id="a", command="shell", unknown=("script",))
    assert (await ask(agent(policy), use)).refusals


async def test_what_is_not_known_is_not_refused() -> None:
    """A path or a program that is an expression is for the run to say."""
    policy = Policy(roots=(Path("/srv"),), executables=NameRules(allow=("sh",)))
    path = CommandUse(id="f", command="file", parameters={"path": "/x/${{ params.n }}"})
    answer = await ask(agent(policy), path, shell(argv=["${{ params.tool }}"]))
    assert answer.refusals == ()


async def test_secrets_are_named_and_never_told() -> None:
    """There, missing, refused or unusable; the value is in no answer."""
    rules = SecretRules(deny=(SecretRule(names=("ROOT",)),))
    found = agent(Policy(secrets=rules), TOKEN=SECRET, ROOT=SECRET, SHORT="x")
    use = CommandUse(id="a", command="http", secrets=("TOKEN", "NONE", "ROOT", "SHORT"))
    answer = await ask(found, use)
    states = {one.name: one.state for one in answer.secrets}
    assert states == {"TOKEN": "there", "NONE": "missing", "ROOT": "refused", "SHORT": "unusable"}
    assert SECRET not in answer.model_dump_json()


class Door:
    """A port that takes connections, and keeps what is sent to it."""

    def __init__(self) -> None:
        self.connections = 0
        self.sent = b""
        self.port = 0

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.sent += await reader.read()
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    found = Door()
    server = await asyncio.start_server(found.met, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


async def test_an_address_is_reached_without_a_byte(door: Door) -> None:
    """It connects, sends nothing, and closes."""
    address = NetworkAddress(host="127.0.0.1", port=door.port)
    answer = await ask(agent(), addresses=(address,))
    assert [one.state for one in answer.addresses] == ["reached"]
    await asyncio.sleep(0.05)
    assert door.connections == 1
    assert door.sent == b""


async def test_an_address_that_is_not_reached_says_why(door: Door) -> None:
    """Nobody listens, or nobody knows the name."""
    unused = await asyncio.start_server(door.met, "127.0.0.1", 0)
    port = unused.sockets[0].getsockname()[1]
    unused.close()
    await unused.wait_closed()
    answer = await ask(
        agent(),
        addresses=(
            NetworkAddress(host="127.0.0.1", port=port),
            NetworkAddress(host="no-such-host.invalid", port=80),
        ),
    )
    assert [one.state for one in answer.addresses] == ["unreachable", "unknown"]
    assert all(one.message for one in answer.addresses)


async def test_no_connection_is_made_against_the_policy(door: Door) -> None:
    """A host that the policy refuses is not touched."""
    policy = Policy(http=HttpRules(deny_hosts=("127.0.0.0/8",)))
    address = NetworkAddress(host="127.0.0.1", port=door.port)
    answer = await ask(agent(policy), addresses=(address,))
    assert [one.state for one in answer.addresses] == ["refused"]
    assert "http.deny_hosts" in answer.addresses[0].message
    assert door.connections == 0


async def test_an_agent_is_no_port_scanner(door: Door) -> None:
    """So many probes a minute, whoever asks; after that minute it answers again."""
    now = [0.0]
    found = agent()
    found.monotonic = lambda: now[0]
    address = NetworkAddress(host="127.0.0.1", port=door.port)
    states = []
    for _ in range(module.PROBES_PER_MINUTE // 20 + 1):
        answer = await ask(found, addresses=(address,) * 20)
        states += [one.state for one in answer.addresses]
    assert states.count("reached") == module.PROBES_PER_MINUTE
    assert states.count("skipped") == 20
    now[0] = 61.0
    again = await ask(found, addresses=(address,))
    assert again.addresses[0].state == "reached"
