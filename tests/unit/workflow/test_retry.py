"""How long a retry waits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.workflow.retry import delay_ms
from shared.workflow.retry_rule import Retry

RETRIES = st.builds(
    Retry,
    max_attempts=st.integers(1, 100),
    delay_s=st.floats(0, 86_400),
    factor=st.floats(1, 100),
    max_delay_s=st.floats(0, 86_400),
    jitter=st.floats(0, 1),
)


def test_delays_grow_and_stop_growing() -> None:
    """Each delay is the one before times the factor, up to the maximum."""
    retry = Retry(delay_s=1, factor=2, max_delay_s=5, jitter=0)
    assert [delay_ms(retry, "x", "a", n) for n in (1, 2, 3, 4, 99)] == [
        1_000,
        2_000,
        4_000,
        5_000,
        5_000,
    ]


def test_jitter_spreads_and_can_be_replayed() -> None:
    """Executions that failed together come back apart, each at the same time in every replay."""
    retry = Retry(delay_s=100, jitter=0.1)
    delays = {delay_ms(retry, f"x{n}", "a", 1) for n in range(50)}
    assert len(delays) == 50
    assert min(delays) >= 90_000
    assert max(delays) <= 110_000
    assert delay_ms(retry, "x1", "a", 1) == delay_ms(retry, "x1", "a", 1)


@settings(deadline=None)
@given(RETRIES, st.integers(1, 1_000))
def test_delays_are_bounded(retry: Retry, failed: int) -> None:
    """No rule and no number of failures leads to a negative delay or one above the maximum."""
    assert 0 <= delay_ms(retry, "x", "a", failed) <= round(retry.max_delay_s * 1000)
