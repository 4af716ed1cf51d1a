"""When a failed step is tried again: exponential backoff with a jitter that can be replayed."""

from __future__ import annotations

import hashlib

from shared.workflow.retry_rule import Retry


def delay_ms(retry: Retry, execution_id: str, step: str, failed_attempts: int) -> int:
    """Milliseconds to wait after the `failed_attempts`-th failure (from 1).

    `delay_s * factor^(n-1)`, at most `max_delay_s`, spread by ± `jitter`. The spread derives from
    the ids, so that executions that failed together do not come back together, and a replay
    decides the same.
    """
    exponent = min(failed_attempts - 1, 64)
    delay = min(retry.delay_s * retry.factor**exponent, retry.max_delay_s)
    seed = hashlib.blake2b(f"{execution_id}.{step}.{failed_attempts}".encode(), digest_size=8)
    share = int.from_bytes(seed.digest(), "big") / 2**64 * 2 - 1
    return round(min(delay * (1 + retry.jitter * share), retry.max_delay_s) * 1000)
