"""What is remembered of executions: found by what people search for, without secrets, once."""

from __future__ import annotations

from shared.collective.run_memories import memory_of
from shared.contracts.collective import MemoryQuery
from shared.learning.records import RunStep
from shared.memory.memories import MemoryMemories
from tests.unit.analytics.items import DAY_MS, run

FAILED = run(
    "ex_7",
    ms=125_000,
    template_id="rotate_keys",
    category="security",
    status="failed",
    by="ann",
    cause="schedule",
    parameters={"host": "web-1", "count": 3},
    steps=(RunStep(step="renew", status="failed"),),
    failed_step="renew",
    failure_code="exit_code",
    failure_message="certificate of web-1 is expired",
)


def test_it_says_what_ran_for_whom_and_how_it_ended() -> None:
    """With the failure, the values, the steps, and where to look."""
    memory = memory_of(FAILED, 90 * DAY_MS)
    assert memory.content.splitlines()[0] == (
        "rotate keys (rotate_keys 1.0.0) failed after 2 min 5 s for ann (schedule): ex_7"
    )
    assert "Failure: step renew: exit_code certificate of web-1 is expired" in memory.content
    assert "Parameters: host=web-1, count=3" in memory.content
    assert {"run", "rotate_keys", "security", "failed", "web-1"} <= set(memory.tags)
    assert memory.origin is not None
    assert memory.origin.execution_id == "ex_7"
    assert memory.expires_at_ms == FAILED.at_ms + 90 * DAY_MS


def test_what_went_wrong_matters_more() -> None:
    """A failure before a success; neither before what somebody kept on purpose."""
    good, bad = memory_of(run(), 1), memory_of(FAILED, 1)
    assert good.importance < bad.importance


def test_no_secret_is_remembered() -> None:
    """What looks like one is left out of values and messages."""
    leaky = FAILED.model_copy(
        update={
            "failure_message": "login failed: password=hunter22secret",
            "parameters": {"head": "Bearer abcdef0123456789", "key": "AKIAIOSFODNN7EXAMPLE"},
        }
    )
    memory = memory_of(leaky, 1)
    said = " ".join((memory.content, *memory.tags)).lower()
    assert not any(secret in said for secret in ("hunter22secret", "abcdef", "akiaio"))


def test_tags_are_names() -> None:
    """A value that is no name is no tag."""
    odd = FAILED.model_copy(update={"parameters": {"text": "Two words", "flag": True}})
    assert not {"two words", "true"} & set(memory_of(odd, 1).tags)


def test_the_longest_run_fits() -> None:
    """Many parameters and steps are cut, not refused."""
    long = FAILED.model_copy(
        update={
            "parameters": {f"p{number}": "x" * 200 for number in range(100)},
            "steps": tuple(
                RunStep(step=f"s{'x' * 60}{number}", status="completed") for number in range(500)
            ),
        }
    )
    assert len(memory_of(long, 1).content) < 16_000


async def test_it_is_found_and_kept_once() -> None:
    """By words of the failure, by host; the same run again is there already."""
    memories = MemoryMemories()
    assert await memories.remember(memory_of(FAILED, DAY_MS))
    assert not await memories.remember(memory_of(FAILED, DAY_MS))
    for query in (MemoryQuery(text="expired certificate"), MemoryQuery(tags=("web-1",))):
        found = await memories.recall(query, FAILED.at_ms)
        assert [one.memory.id for one in found] == ["run.ex_7"]
    assert not await memories.recall(MemoryQuery(text="certificate"), FAILED.at_ms + DAY_MS)
