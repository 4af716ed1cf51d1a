"""What the rollback service makes of orders that it cannot answer."""

from __future__ import annotations

from typing import Any, cast

import pytest

from services.rollback.desk import Desk
from services.rollback.pasts import NotYetError
from services.rollback.worker import Worker
from shared.adapters.outages import outage_of
from shared.contracts import subjects
from shared.contracts.rollbacks import AccountOrder, PlanOrder, planning_task
from shared.contracts.tasks import Task
from shared.memory.bus import MemoryBus
from shared.memory.clock import ManualClock
from shared.memory.tasks import MemoryTaskDelivery
from shared.ports.captures import CapturesUnavailableError
from shared.ports.tasks import TaskFeed
from shared.rollback.messages import Accounted, PlanMade, PlanRefused
from shared.runtime.meters import ErrorMeter, RollbackMeter, new_registry
from shared.runtime.patience import MOST_FAILURES, Patience
from shared.workflow.messages import Message

WISH = {"strategy": "graceful", "to": "", "steps": (), "undone": ()}


class _Desk:
    """Fails as it is told to, one after the other; then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def answer(self, order: PlanOrder | AccountOrder) -> PlanMade | Accounted:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        if isinstance(order, AccountOrder):
            return Accounted(number=order.number)
        return PlanMade(number=order.number)


class _Journal:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.said: list[tuple[str, Message, str]] = []

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        if self.errors:
            raise self.errors.pop(0)
        self.said.append((execution_id, message, message_id))
        return True


class _Case:
    """A worker, and a queue with one order in it."""

    def __init__(self, desk: _Desk, journal: _Journal | None = None, **order: Any) -> None:
        self.clock = ManualClock()
        self.bus = MemoryBus(self.clock)
        self.desk = desk
        self.journal = journal or _Journal()
        self.registry = new_registry("rollback", "1")
        meter = RollbackMeter(self.registry, ErrorMeter(self.registry))
        self.worker = Worker(
            cast("TaskFeed", None), self.journal, cast("Desk", desk), meter, 1, outage_of
        )
        given: dict[str, Any] = {"work": "plan", "number": 3, "details": WISH, **order}
        self.task = planning_task("rb_ex_1", **given)

    async def rounds(self, most: int) -> int:
        """Let it try at most so often; gives how often it did."""
        pool = subjects.pool_rollback()
        payload = self.task.model_dump_json().encode()
        self.bus.tasks.put(pool, self.task.execution_id, payload, "m", resent=False)
        for number in range(most):
            taken = self.bus.tasks.take([pool], 1)
            if not taken:
                return number
            await self.worker.deal_with(MemoryTaskDelivery(self.bus, taken[0]))
            self.clock.advance(10_000)
        return most

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


async def test_a_defect_is_given_up() -> None:
    """A plan that fails each time is refused with its error, and counted; nobody tries it again."""
    case = _Case(_Desk(*[KeyError("x")] * 99))
    assert await case.rounds(50) == MOST_FAILURES
    ((where, message, message_id),) = case.journal.said
    assert (where, message_id) == ("rb_ex_1", "rbp.rb_ex_1.3.plan")
    assert isinstance(message, PlanRefused)
    assert message.number == 3
    assert f"planning failed {MOST_FAILURES} times" in message.reason
    assert "KeyError: 'x'" in message.reason
    assert len(case.bus.tasks) == 0
    assert case.counted("hive_rollback_given_up_total", work="plan") == 1
    assert case.counted("hive_rollback_plans_total", outcome="refused") == 1
    assert case.counted("hive_errors_total", kind="internal") == MOST_FAILURES


async def test_what_was_undone_is_not_known_then() -> None:
    """A run that cannot be accounted for has undone nothing that is known, and it is named."""
    details = {"run": "ex_run", "status": "completed"}
    case = _Case(_Desk(*[ValueError("odd")] * 99), work="account", details=details)
    assert await case.rounds(50) == MOST_FAILURES
    message = case.journal.said[0][1]
    assert isinstance(message, Accounted)
    assert message.done == ()
    assert "what ex_run undid could not be worked out" in message.left[0]


@pytest.mark.parametrize(
    "error",
    [OSError("away"), TimeoutError(), CapturesUnavailableError("no"), NotYetError("not stored")],
)
async def test_an_outage_is_no_defect(error: Exception) -> None:
    """While a server is away, or something is not stored yet, it is tried for ever."""
    case = _Case(_Desk(*[error] * 40))
    assert await case.rounds(100) == 41
    assert isinstance(case.journal.said[0][1], PlanMade)
    assert case.counted("hive_rollback_given_up_total", work="plan") == 0


async def test_what_works_in_the_end_is_answered() -> None:
    """Fewer failures than that leave no trace but in the count of errors."""
    case = _Case(_Desk(*[KeyError("x")] * (MOST_FAILURES - 1)))
    assert await case.rounds(50) == MOST_FAILURES
    assert isinstance(case.journal.said[0][1], PlanMade)


async def test_the_refusal_itself_is_tried_again() -> None:
    """A journal that is away when an order is given up hears of it later."""
    case = _Case(_Desk(*[KeyError("x")] * 99), _Journal(TimeoutError(), TimeoutError()))
    assert await case.rounds(50) == MOST_FAILURES + 2
    assert isinstance(case.journal.said[0][1], PlanRefused)


@pytest.mark.parametrize(("work", "kind"), [("plan", PlanRefused), ("account", Accounted)])
async def test_an_order_that_cannot_be_read_is_refused(work: str, kind: type) -> None:
    """An order of another version ends its rollback, too, instead of leaving it to wait."""
    case = _Case(_Desk(), work=work, details={"strategy": "sideways"})
    assert await case.rounds(50) == 1
    message = case.journal.said[0][1]
    assert (type(message), message.model_dump()["number"]) == (kind, 3)
    assert case.desk.asked == 0


async def test_what_is_no_order_is_left_out() -> None:
    """A task that nobody of the engine asked for says nothing about any rollback."""
    case = _Case(_Desk())
    case.task = Task.model_validate({**case.task.model_dump(), "step": "dance"})
    assert await case.rounds(50) == 1
    assert case.journal.said == []


def test_patience_is_bounded() -> None:
    """Each piece of work has its own count; the ones that failed longest ago are forgotten."""
    patience = Patience(most=2)
    assert [patience.failed(key) for key in ("a", "b", "a")] == [1, 1, 2]
    patience.failed("c")
    assert patience.failed("b") == 1
    patience.answered("c")
    assert patience.failed("c") == 1
