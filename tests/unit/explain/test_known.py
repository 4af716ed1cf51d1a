"""What is said of failures that are known."""

from __future__ import annotations

from shared.explain.explain import explain
from shared.explain.known import failures_of
from shared.explain.picture import KnownBefore
from tests.unit.explain.pictures import finding, first, picture
from tests.unit.workflow.scenario import Run, step

KNOWN = KnownBefore("a", "f7", "connection to <IP> refused", 12, ("agent b: helped 3 of 4 times",))


def failed() -> Run:
    run = Run(step("a"))
    run.request()
    run.fail("a", retryable=False)
    return run


def test_a_known_failure_says_what_helped() -> None:
    """Below how it ended, with the command that shows all that is known."""
    shown = picture(failed(), known=(KNOWN,))
    assert first(explain(shown)).cause == "failed"
    found = finding(shown, "known_failure")
    assert "occurred 12 times (connection to <IP> refused)" in found.says
    assert "agent b: helped 3 of 4 times" in found.says
    assert found.action == "hv failures show f7"


def test_one_that_nothing_helped_says_so() -> None:
    """Nothing is made up."""
    shown = picture(failed(), known=(KnownBefore("a", "f7", "x", 1),))
    assert finding(shown, "known_failure").says.endswith("Nothing is known that helped.")


def test_the_failures_of_an_execution() -> None:
    """Of each step whose last attempt failed, the last one; of one that completed, none."""
    run = failed()
    (key,) = failures_of(run.state)
    assert key == "a"
    well = Run(step("a"))
    well.request()
    well.succeed("a")
    assert failures_of(well.state) == {}
