"""`hv` as operators use it, against the running embedded stack."""

import pytest

from tests.e2e.hv_process import Hv
from tests.e2e.test_cli import accepted, hv, status  # noqa: F401 - `hv` is a fixture

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]


def test_operating(hv: Hv) -> None:  # noqa: F811 - the fixture
    """A breakpoint, a step marked by hand, a re-run from a step with another parameter, and a bulk
    request that is shown before it is done."""
    paused = accepted(hv, "greet", "-p", "who=nobody", "--pause-before", "say")
    while status(hv, paused) != "paused":  # the test has a time limit
        pass
    assert "paused by engine: breakpoint before say" in hv("show", paused).out
    assert hv("breakpoints", paused, "judge", "-r", "look").code == 0
    by_hand = ("mark", paused, "say", "completed", "-o", '{"stdout": "hi"}')
    assert hv(*by_hand, "-r", "by hand").code == 0
    assert hv("breakpoints", paused, "--clear", "judge").code == 0
    assert hv("resume", paused, "-r", "seen").code == 0
    assert hv("watch", paused).code == 1
    assert "say marked completed by admin: by hand" in hv("show", paused).out
    assert "has ended" in hv("run-now", paused, "judge").err
    dry = hv("rerun", paused, "--from", "judge", "-p", "who=you", "--dry-run")
    assert "again   say: it uses the input who, which changed" in dry.out
    again = hv("rerun", paused, "--failed", "--quiet", "-r", "once more").out.strip()
    assert hv("watch", again).code == 1
    assert hv("show", again, "--json").json()["steps"][0]["kept_from"] == paused
    wanted = ("bulk", "rerun", "--template", "greet", "--status", "failed", "--since", "1h")
    assert "Nothing was done yet" in hv(*wanted, "--failed").out
    done = hv(*wanted, "--failed", "--yes", "--limit", "1", "--json").json()
    assert (done["counts"], done["more"]) == ({"accepted": 1}, True)
