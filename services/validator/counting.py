"""Counting looks, and what they find."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.ports.collective import InvalidRequestError
from shared.runtime.meters import ValidatorMeter

Look = Callable[[ValidationQuestion], Awaitable[ValidationAnswer]]


def counted(look: Look, meter: ValidatorMeter) -> Look:
    """The same, counted and timed."""

    async def counting(question: ValidationQuestion) -> ValidationAnswer:
        began_s = time.perf_counter()
        try:
            answer = await look(question)
        except InvalidRequestError:
            meter.errors.count("bad_input")
            raise
        except Exception:
            meter.errors.count("internal")
            raise
        meter.looked(question.level, time.perf_counter() - began_s)
        for finding in answer.findings:
            meter.found(finding.severity)
        return answer

    return counting
