"""What is named in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.suggest.entities import MOST_ENTITIES, Kind, entities, values


def named(text: str) -> list[tuple[str, str]]:
    return [(one.kind.value, one.value) for one in entities(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cve-2030-12345 in openssl 3.0.1", [
            ("cve", "CVE-2030-12345"), ("service", "openssl"), ("version", "3.0.1"),
        ]),
        ("GHSA-abcd-1234-wxyz and USN-8001-2", [
            ("advisory", "GHSA-abcd-1234-wxyz"), ("advisory", "USN-8001-2"),
        ]),
        ("see https://status.example.com/i/7.", [("url", "https://status.example.com/i/7")]),
        ("ask anna@example.org", [("email", "anna@example.org")]),
        ("from 203.0.113.9:443 to 10.0.0.0/8", [
            ("address", "203.0.113.9:443"), ("address", "10.0.0.0/8"),
        ]),
        ("open port 8443", [("port", "8443")]),
        ("edit /etc/nginx/nginx.conf and site.yaml", [
            ("file", "/etc/nginx/nginx.conf"), ("file", "site.yaml"),
        ]),
        ("between 02:00 and 4 am UTC", [("time_window", "02:00-04:00 UTC")]),
        ("10 p.m. - 11:30 p.m.", [("time_window", "22:00-23:30")]),
        ("on 2030-05-01, 3 June and Sunday", [
            ("date", "2030-05-01"), ("date", "3 June"), ("date", "Sunday"),
        ]),
        ("at 14:05 CET for 20 minutes", [("time", "14:05"), ("duration", "20 minutes")]),
        ("set log_level=warn and max_size", [
            ("setting", "log_level=warn"), ("setting", "max_size"),
        ]),
        ("INC0012345, OPS-17 and #4711", [
            ("ticket", "INC0012345"), ("ticket", "OPS-17"), ("ticket", "#4711"),
        ]),
        ("Severity: Moderate", [("severity", "medium")]),
        ("SEV-1 and sev2", [("severity", "critical"), ("severity", "high")]),
        ("priority: p2, no hurry", [("priority", "high"), ("priority", "low")]),
        ("user=root or account m.sato or @kim", [
            ("user", "root"), ("user", "m.sato"), ("user", "kim"),
        ]),
        ("web-1, db02 and app-prod-3 are down", [
            ("host", "web-1"), ("host", "db02"), ("host", "app-prod-3"),
        ]),
        ("mail.example.net refuses", [("host", "mail.example.net")]),
        ("the checkout service and job=billing", [("service", "checkout"), ("service", "billing")]),
    ],
)  # fmt: skip
def test_things_are_known_by_their_looks(text: str, expected: list[tuple[str, str]]) -> None:
    """Each kind is found and brought into its form."""
    assert named(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "the service is slow",
        "a job failed",
        "2030-05-01T04:17:33Z",
        "version two",
        "nobody is named here",
        "it is our main cluster",
    ],
)
def test_what_could_be_anything_is_not_named(text: str) -> None:
    """Words of the language beside `service`, and parts of a time stamp, are no names."""
    assert [kind for kind, _ in named(text) if kind != "date"] == []


def test_values_come_once() -> None:
    """The same host twice is one value, in the order of the text."""
    found = entities("web-2 waits for web-1, then web-2 starts")
    assert values(found, Kind.HOST) == ("web-2", "web-1")


def test_there_are_never_too_many() -> None:
    """A text full of addresses is cut off."""
    assert len(entities("10.0.0.1 " * 1_000)) == MOST_ENTITIES


@given(st.text(max_size=500))
def test_entities_stand_where_they_say_and_do_not_overlap(text: str) -> None:
    """Whatever is read, each is a part of the text, behind the one before."""
    end = 0
    for one in entities(text):
        assert text[one.start : one.start + len(one.text)] == one.text
        assert one.start >= end
        assert one.value
        end = one.start + len(one.text)


@pytest.mark.parametrize("part", ["a-", "1.", "a_", "=", "10:", "x@", "/etc", "1 ", "a.b"])
def test_repetition_comes_to_an_end(part: str) -> None:
    """A pattern that goes back and forth without end would not return in time."""
    assert len(entities(part * 20_000)) <= MOST_ENTITIES
