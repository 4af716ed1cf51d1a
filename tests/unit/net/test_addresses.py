"""Public addresses are told from all others, however they are written."""

import ipaddress

import pytest

from shared.net.addresses import kind_if_not_public


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("fd00::1", "private"),
        ("0.1.2.3", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("64:ff9b::169.254.169.254", "link-local"),
        ("100.64.0.1", "reserved"),
        ("168.63.129.16", "reserved"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("ff02::1", "multicast"),
        ("192.88.99.1", "reserved"),
        ("fec0::1", "reserved"),
        ("64:ff9b:1::1", "reserved"),
    ],
)
def test_an_address_that_is_not_public_is_named(text: str, kind: str) -> None:
    """Each kind is refused, also inside of an IPv6 address that leads to it. Versions of Python
    differ in what they call private and what reserved."""
    found = kind_if_not_public(ipaddress.ip_address(text))
    if kind in ("private", "reserved"):
        assert found in ("private", "reserved")
    else:
        assert found == kind


@pytest.mark.parametrize(
    "text", ["::", "240.0.0.1", "255.255.255.255", "198.18.0.1", "2001:db8::1"]
)
def test_other_special_addresses_are_not_public(text: str) -> None:
    """Unspecified, future, benchmark and documentation addresses are no targets."""
    assert kind_if_not_public(ipaddress.ip_address(text)) is not None


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_public_addresses_pass(text: str) -> None:
    """What everybody can reach is public."""
    assert kind_if_not_public(ipaddress.ip_address(text)) is None
