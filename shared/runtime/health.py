"""Whether a service is ready: named probes that really ask what the service depends on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

PROBE_TIMEOUT_S: Final = 3.0

Probe = Callable[[], Awaitable[None]]
"""Returns when the dependency answers; raises, saying why, when it does not."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`checks` maps each dependency to `ok`, or to why it is not."""

    checks: Mapping[str, str]

    @property
    def ready(self) -> bool:
        """True when every dependency answers."""
        return all(result == "ok" for result in self.checks.values())


async def check_readiness(
    probes: Mapping[str, Probe], timeout_s: float = PROBE_TIMEOUT_S
) -> Readiness:
    """Ask every dependency at once, each for at most `timeout_s`."""
    results = await asyncio.gather(*(_ask(probe, timeout_s) for probe in probes.values()))
    return Readiness(dict(zip(probes, results, strict=True)))


async def _ask(probe: Probe, timeout_s: float) -> str:
    try:
        async with asyncio.timeout(timeout_s):
            await probe()
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "ok"
