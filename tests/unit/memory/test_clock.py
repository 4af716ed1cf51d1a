"""The manual clock: time passes when told, and alarms ring in order."""

from shared.memory.clock import ManualClock


def test_time_stands_still_until_it_is_told_to_pass() -> None:
    """`advance` moves it by exactly so much."""
    clock = ManualClock(1_000)
    assert clock.now_ms() == 1_000
    clock.advance(250)
    assert clock.now_ms() == 1_250


def test_alarms_ring_in_order_and_see_their_time() -> None:
    """By time, then by the order of setting; each sees the time for which it was set."""
    clock = ManualClock(0)
    rung: list[tuple[str, int]] = []
    for name, due_ms in (("c", 30), ("a", 10), ("b1", 20), ("b2", 20), ("late", 41)):
        clock.call_at(due_ms, lambda name=name: rung.append((name, clock.now_ms())))  # type: ignore[misc]
    clock.advance(40)
    assert rung == [("a", 10), ("b1", 20), ("b2", 20), ("c", 30)]
    assert clock.next_due_ms == 41


def test_a_cancelled_alarm_does_not_ring() -> None:
    """Nor does it count as the next one."""
    clock = ManualClock(0)
    rung: list[int] = []
    first = clock.call_at(10, lambda: rung.append(1))
    clock.call_at(20, lambda: rung.append(2))
    first.cancel()
    assert (first.cancelled, clock.next_due_ms) == (True, 20)
    clock.advance(100)
    assert (rung, clock.next_due_ms) == ([2], None)


def test_an_alarm_may_set_another() -> None:
    """One that is due within the same advance rings in it, also one that is past."""
    clock = ManualClock(0)
    rung: list[int] = []

    def again() -> None:
        rung.append(clock.now_ms())
        if len(rung) < 3:
            clock.call_at(clock.now_ms() + 10, again)

    clock.call_at(-5, again)
    clock.advance(20)
    assert rung == [0, 10, 20]
