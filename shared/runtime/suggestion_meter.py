"""What a suggestion service counts."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.runtime import suggestion_metrics as m
from shared.runtime.meters import ErrorMeter, Labelled

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")


class SuggestionMeter:
    """Questions, what is offered unasked, and how many templates there are; `errors` included."""

    def __init__(self, registry: CollectorRegistry, errors: ErrorMeter) -> None:
        self.errors = errors
        duration = Histogram(
            m.DURATION.name,
            m.DURATION.help,
            ["endpoint"],
            registry=registry,
            buckets=m.DURATION.buckets,
        )
        offered = Counter(m.OFFERED.name, m.OFFERED.help, ["why"], registry=registry)
        self._duration = Labelled(duration, m.DURATION.labels, {})
        self._offered = Labelled(offered, m.OFFERED.labels, {})
        self.templates = Gauge(m.TEMPLATES.name, m.TEMPLATES.help, registry=registry)

    def offered(self, why: str) -> None:
        """A workflow was suggested unasked."""
        self._offered(why).inc()

    def timed(
        self, endpoint: str, answer: Callable[[QuestionT], Awaitable[AnswerT]]
    ) -> Callable[[QuestionT], Awaitable[AnswerT]]:
        """The same, timed; `endpoint` is one of `suggestion_metrics.ENDPOINTS`."""
        observe = self._duration(endpoint).observe

        async def timing(question: QuestionT) -> AnswerT:
            began_s = time.perf_counter()
            try:
                return await answer(question)
            except Exception:
                self.errors.count("internal")
                raise
            finally:
                observe(time.perf_counter() - began_s)

        return timing
