"""Where webhooks may point."""

import pytest

from services.gateway.problems import ProblemError
from services.gateway.webhooks.targets import TargetRules


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1/x", "loopback"),
        ("https://10.0.0.8/x", "private"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://100.64.3.3/x", "reserved"),
        ("https://224.0.0.1/x", "multicast"),
        ("https://[::1]/x", "loopback"),
        ("https://[::ffff:10.0.0.1]/x", "private"),
        ("http://example.com/x", "not encrypted"),
        ("https://user:pw@example.com/x", "password"),
        ("https://example.com/x#y", "fragment"),
        ("ftp://example.com/x", "not an http address"),
        ("https:///x", "not an http address"),
        ("https://xn--/x", "not an address"),
        ("https://8.8.8.8:99999/x", "not an http address"),
        ("https://2130706433/x", "loopback"),
        ("x", "not an http address"),
    ],
)
async def test_targets_that_are_refused(url: str, said: str) -> None:
    """By default only https to public addresses; the problem names the field and the remedy."""
    with pytest.raises(ProblemError) as caught:
        await TargetRules().check_url(url)
    (error,) = caught.value.details.errors
    assert (error.field, bool(error.fix), caught.value.details.status) == ("url", True, 422)
    assert said in error.message


@pytest.mark.parametrize(
    ("rules", "url"),
    [
        (TargetRules(), "https://8.8.8.8/hook?x=1"),
        (TargetRules(), "https://[2606:4700::1111]:8443/"),
        (TargetRules(allow_private=True), "https://10.0.0.8/x"),
        (TargetRules(allow_http=True), "http://8.8.8.8/"),
    ],
)
async def test_targets_that_are_allowed(rules: TargetRules, url: str) -> None:
    """Public addresses by TLS, and what a setting allows beside."""
    await rules.check_url(url)
