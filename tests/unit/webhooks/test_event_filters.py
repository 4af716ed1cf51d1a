"""What a webhook lets pass, and what a feed asks the server for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.adapters.nats.durable_events import subject_filters
from shared.contracts import subjects
from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import WebhookFilter, pattern_fits

TOKENS = st.sampled_from(["execution", "step", "failed", "completed", "*", "fail*", "*ed"])
PATTERNS = st.one_of(st.just("*"), st.builds("{}.{}".format, TOKENS, TOKENS))
TYPES = st.builds(
    "{}.{}".format,
    st.sampled_from(["execution", "step", "agent"]),
    st.sampled_from(["failed", "completed", "started"]),
)


def event(event_type: str, template: str | None = None, category: str | None = None) -> PublicEvent:
    return PublicEvent(id="e", type=event_type, at_ms=1, template_id=template, category=category)


def fits(subject_filter: str, subject: str) -> bool:
    """NATS's rule: `*` is one token, `>` the rest."""
    wanted, given_ = subject_filter.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given_) >= len(wanted) and wanted[:-1] == given_[: len(wanted) - 1]
    return len(wanted) == len(given_) and all(
        w in ("*", g) for w, g in zip(wanted, given_, strict=True)
    )


@pytest.mark.parametrize(
    ("pattern", "event_type", "expected"),
    [
        ("*", "execution.completed", True),
        ("*", "audit.create_key", False),
        ("audit.*", "audit.create_key", True),
        ("*.create_key", "audit.create_key", False),
        ("execution.*", "execution.completed", True),
        ("execution.*", "step.completed", False),
        ("*.failed", "step.failed", True),
        ("step.*ed", "step.failed", True),
        ("step.*ed", "step.lost", False),
        ("execution.completed", "execution.completed_with_errors", False),
    ],
)
def test_a_pattern_fits_a_type(pattern: str, event_type: str, expected: bool) -> None:
    """`*` stands for any characters, and the audit trail has to be named."""
    assert pattern_fits(pattern, event_type) is expected


def test_a_filter_lets_pass_what_fits_all_of_it() -> None:
    """Type, template and category must all fit."""
    wanted = WebhookFilter(
        events=("step.*",), templates=("deploy",), categories=("ops", "security")
    )
    assert wanted.lets_pass(event("step.failed", "deploy", "ops"))
    assert not wanted.lets_pass(event("execution.failed", "deploy", "ops"))
    assert not wanted.lets_pass(event("step.failed", "other", "ops"))
    assert not wanted.lets_pass(event("step.failed", "deploy", "custom"))
    assert not wanted.lets_pass(event("step.failed"))
    assert WebhookFilter().lets_pass(event("agent.joined"))


@pytest.mark.parametrize("pattern", ["", "a", "a.b.c", "Step.failed", "step.f?", ">", "a."])
def test_other_patterns_are_refused(pattern: str) -> None:
    """A pattern is `*`, or a category and what happened."""
    with pytest.raises(ValidationError):
        WebhookFilter(events=(pattern,))


@given(st.lists(PATTERNS, min_size=1, max_size=6), TYPES)
def test_the_server_is_asked_for_all_that_fits(patterns: list[str], event_type: str) -> None:
    """No event that a pattern wants is left out by the subjects that are asked for."""
    subject = subjects.event(event_type, "ex_1")
    if any(pattern_fits(pattern, event_type) for pattern in patterns):
        assert any(fits(one, subject) for one in subject_filters(patterns))


@given(st.lists(PATTERNS, max_size=6), TYPES)
def test_the_server_is_asked_without_overlaps(patterns: list[str], event_type: str) -> None:
    """No subject fits two filters, which NATS would refuse."""
    subject = subjects.event(event_type, "ex_1")
    assert sum(fits(one, subject) for one in subject_filters(patterns)) <= 1
