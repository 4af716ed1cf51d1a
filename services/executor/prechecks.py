"""The agent's answer to "would you run this?": its policy, its secrets, what it can reach.

* Nothing is run and nothing is changed. A connection that is made to see whether an address can be
  reached is closed at once, without a byte sent.
* The policy is asked as the commands themselves ask it, for what is known of their parameters. That
  it refuses nothing here is no promise: a program may start others, a path may be a link by then.
* A secret is looked for and checked, and only told to be there, or not. Its value goes nowhere.
* Addresses are tried at most `PROBES_PER_MINUTE` times a minute, whoever asks: an agent is no port
  scanner.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.executor.commands.shell import find_program
from services.executor.policy import Decision, Policy, Refused
from services.executor.secrets.vault import Vault
from shared.contracts.prechecks import (
    AddressState,
    CommandUse,
    NetworkAddress,
    PolicyRefusal,
    PrecheckAnswer,
    PrecheckQuestion,
    SecretState,
)
from shared.net.addresses import Address
from shared.net.pinned_http import ADDRESSES_TRIED, ResolveError, resolve
from shared.ports.clock import Clock

PROBES_PER_MINUTE: Final = 60
PROBE_S: Final = 2.0
"""How long a connection may take to come about."""
_MINUTE_S: Final = 60.0


@dataclass(slots=True)
class Prechecks:
    """Answers for one agent."""

    policy: Policy
    vault: Vault
    clock: Clock
    probe_s: float = PROBE_S
    monotonic: Callable[[], float] = time.monotonic
    _probed: deque[float] = field(default_factory=deque)

    async def answer(self, question: PrecheckQuestion) -> PrecheckAnswer:
        """What this agent says to a question."""
        refusals = await asyncio.to_thread(self._refusals, question)
        secrets = await asyncio.to_thread(self._secrets, question)
        addresses = await asyncio.gather(*(self._address(one) for one in question.addresses))
        return PrecheckAnswer(
            now_ms=self.clock.now_ms(),
            refusals=refusals,
            secrets=secrets,
            addresses=tuple(addresses),
        )

    def _refusals(self, question: PrecheckQuestion) -> tuple[PolicyRefusal, ...]:
        found: list[PolicyRefusal] = []
        for use in question.uses:
            refused = next((d for d in self._decisions(use) if isinstance(d, Refused)), None)
            if refused is not None:
                found.append(
                    PolicyRefusal(
                        use=use.id, rule=refused.rule, message=refused.message, fix=refused.fix
                    )
                )
        return tuple(found)

    def _decisions(self, use: CommandUse) -> Iterator[Decision]:
        """What the policy says, in the order in which the command itself would ask."""
        yield self.policy.command(use.command)
        if use.command == "shell":
            yield from self._of_shell(use)
        elif use.command in ("file", "restore"):
            yield from self._of_files(use)

    def _of_shell(self, use: CommandUse) -> Iterator[Decision]:
        known = use.parameters
        if known.get("script") is not None or "script" in use.unknown:
            yield self.policy.script()
        environment = known.get("env")
        for name in environment if isinstance(environment, dict) else ():
            yield self.policy.variable(str(name))
        argv = known.get("argv") or known.get("interpreter")
        if isinstance(argv, list) and argv and isinstance(argv[0], str) and "${{" not in argv[0]:
            program = find_program(argv[0], Path.cwd(), os.environ)
            if program is not None:
                yield self.policy.executable(program)

    def _of_files(self, use: CommandUse) -> Iterator[Decision]:
        for name in ("path", "source"):
            text = use.parameters.get(name)
            if isinstance(text, str) and text.startswith("/") and "${{" not in text:
                yield self.policy.path(Path(os.path.realpath(text)))

    def _secrets(self, question: PrecheckQuestion) -> tuple[SecretState, ...]:
        found: list[SecretState] = []
        for use in question.uses:
            for name in use.secrets:
                state, message = self.vault.looked_up(name, use.command, question.template_id)
                found.append(SecretState(use=use.id, name=name, state=state, message=message))
        return tuple(found)

    async def _address(self, wanted: NetworkAddress) -> AddressState:
        """Try to connect, where the policy lets the agent and it was not asked too often."""
        began = self.monotonic()

        def state(what: str, message: str = "") -> AddressState:
            took_ms = round((self.monotonic() - began) * 1000)
            return AddressState.model_validate(
                {**wanted.model_dump(), "state": what, "took_ms": took_ms, "message": message}
            )

        if not self._may_probe(began):
            return state("skipped", f"it was asked more than {PROBES_PER_MINUTE} times a minute")
        try:
            async with asyncio.timeout(self.probe_s):
                addresses = await resolve(wanted.host)
        except (ResolveError, TimeoutError) as error:
            return state("unknown", str(error) or "its name was not resolved in time")
        for address in addresses:
            decision = self.policy.host(wanted.host, address)
            if isinstance(decision, Refused):
                return state("refused", f"{decision.message} ({decision.rule})")
        problem = ""
        for address in addresses[:ADDRESSES_TRIED]:
            problem = await self._connect(address, wanted.port)
            if not problem:
                return state("reached")
        return state("unreachable", problem)

    def _may_probe(self, now_s: float) -> bool:
        while self._probed and self._probed[0] <= now_s - _MINUTE_S:
            self._probed.popleft()
        if len(self._probed) >= PROBES_PER_MINUTE:
            return False
        self._probed.append(now_s)
        return True

    async def _connect(self, address: Address, port: int) -> str:
        """Why no connection came about; empty where one did."""
        try:
            async with asyncio.timeout(self.probe_s):
                _, writer = await asyncio.open_connection(str(address), port)
        except TimeoutError:
            return f"no answer within {self.probe_s:g} s"
        except OSError as error:
            return error.strerror or str(error)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return ""
