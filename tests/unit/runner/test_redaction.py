"""Redaction: what a step was given in trust does not come out of it again."""

from __future__ import annotations

import base64
import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cryptography.fernet import Fernet

from services.executor.commands.capture import BoundedCapture, LineStream
from services.executor.runner.redaction import Redaction
from services.executor.runner.secret_texts import MOST_PARTS
from shared.runtime.sealing import SEALED, Sealer

SEALER = Sealer(Fernet.generate_key())
SECRET = 'Kö/x+4 "r&7"-zz9'


def given(value: Any, *sensitive: str) -> Redaction:
    """The redaction of a step that was given one sealed value."""
    redaction = Redaction(SEALER, sensitive)
    assert redaction.open({"a": [SEALER.seal(value)]}) == {"a": [value]}
    return redaction


def comes_out(redaction: Redaction, value: Any) -> bool:
    """Whether a value of an output stays in clear."""
    kept = redaction.sealed({"field": value})["field"]
    if isinstance(kept, str) and SEALED.fullmatch(kept):
        assert SEALER.open(kept) == value
        return False
    assert kept == value
    return True


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps({"nested": json.dumps(SECRET)}),
        json.dumps(SECRET, ensure_ascii=False),
        html.escape(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64_of(SECRET),
        base64_of(f"u:{SECRET}"),
        base64_of(f"me:{SECRET}:x"),
        base64_of(f"you:{SECRET}"),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_recognized_in_its_usual_encodings(form: str) -> None:
    """URL, JSON, HTML, hexadecimal and base64 forms are masked in lines and sealed in outputs, also
    within a longer text."""
    redaction = given(SECRET)
    line = f"before {form} after"
    assert not comes_out(redaction, line)
    masked = redaction.masked(line)
    assert "***" in masked
    assert form not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        ("first-line\nsecond-line\n", "second-line"),
        ('{"token": "abcdef123", "deep": [{"pin": "98765"}]}', "abcdef123"),
        ('{"token": "abcdef123", "deep": [{"pin": "98765"}]}', "98765"),
        ("USER=me\nTOKEN='abcdef123'\n", "abcdef123"),
        ("password: abcdef123\n", "abcdef123"),
        ({"user": "me", "keys": ["abcdef123"]}, "abcdef123"),
    ],
)
def test_the_parts_of_a_secret_are_secret(secret: Any, part: str) -> None:
    """Lines, values of settings and the leaves of JSON are recognized without the rest."""
    redaction = given(secret)
    assert redaction.masked(f"it is {part}.") == "it is ***."
    assert not comes_out(redaction, f"it is {part}")


def test_a_short_secret_is_recognized_as_a_word() -> None:
    """Four and five characters are looked for between other words, not within them; fewer are not
    looked for."""
    redaction = given("2468")
    assert redaction.masked("pin 2468, 24681, a2468") == "pin ***, 24681, a2468"
    assert not comes_out(redaction, "2468\n")
    assert comes_out(redaction, "12468")
    assert comes_out(given("246"), "246")


def test_numbers_are_recognized() -> None:
    """A sealed number is found as a number and as text, and a sealed text as a number."""
    for secret in (24681357, "24681357"):
        redaction = given(secret)
        assert not comes_out(redaction, 24681357)
        assert redaction.masked("it is 24681357") == "it is ***"
        assert comes_out(redaction, 2468135)
    assert comes_out(given(True), True)


def test_ordinary_output_stays_readable() -> None:
    """What does not hold the secret is left as it is, field names too."""
    redaction = given("stdout-secret-exit_code")
    output = {"stdout": "fine\n… 3 bytes left out …\nsecret", "exit_code": 0, "json": None}
    assert redaction.sealed(output) == output


def test_a_piece_left_by_a_bound_is_recognized() -> None:
    """Where a bound cut an output, a line or a message in the middle of a secret, the piece that is
    left is hidden as well."""
    secret = "0123456789abcdefghij"
    redaction = given(secret)
    capture = BoundedCapture(80)
    capture.feed(f"{'x' * 20}{secret}{'y' * 200}{secret}{'z' * 20}".encode())
    cut = capture.result().text
    assert secret not in cut
    assert secret[:8] in cut
    assert not comes_out(redaction, cut)
    lines: list[str] = []
    stream = LineStream(lambda line: lines.append(redaction.masked(line)), 30)
    stream.feed(f"{'x' * 20}{secret}\n".encode())
    assert lines == ["x" * 20 + "***…"]
    message = ("y" * 990 + secret)[:1_000]
    assert redaction.masked(message) == "y" * 990 + "***"
    assert redaction.masked("the 0123456789") == "the 0123456789"


def test_a_secret_in_two_chunks_of_a_stream_is_recognized() -> None:
    """A line is looked at as a whole, however its bytes arrived."""
    redaction = given("abcdef123456")
    lines: list[str] = []
    stream = LineStream(lambda line: lines.append(redaction.masked(line)))
    for chunk in (b"token abcd", b"ef12", b"3456 end\n"):
        stream.feed(chunk)
    assert lines == ["token *** end"]


def test_a_large_secret_is_recognized_line_by_line() -> None:
    """Beyond the parts that are searched for everywhere, whole lines are still recognized."""
    secret = "\n".join(f"row-{n:06}" for n in range(MOST_PARTS * 3))
    redaction = given(secret)
    last = f"row-{MOST_PARTS * 3 - 1:06}"
    assert redaction.masked(f"a\n{last}\nb") == "a\n***\nb"
    assert not comes_out(redaction, f"a\n{last}\nb")
    assert not comes_out(redaction, secret)


@pytest.mark.parametrize(
    ("declared", "hidden"),
    [("stdout", "json"), ("json", "stdout"), ("body", "json"), ("json", "body")],
)
def test_a_field_that_says_the_same_is_sealed_too(declared: str, hidden: str) -> None:
    """Standard output or a body and the JSON parsed from it are secret together."""
    redaction = Redaction(SEALER, [declared])
    values = {"json": {"token": "t"}, "stdout": '{"token": "t"}', "body": '{"token": "t"}'}
    output = {declared: values[declared], hidden: values[hidden], "exit_code": 0}
    kept = redaction.sealed(output)
    assert SEALER.open(kept) == output
    assert all(SEALED.fullmatch(kept[field]) for field in (declared, hidden))
    assert redaction.hides(hidden)


def test_nothing_parsed_stays_nothing() -> None:
    """Where standard output is sensitive and was not parsed, `json` stays null."""
    kept = Redaction(SEALER, ["stdout"]).sealed({"stdout": "x", "json": None})
    assert kept["json"] is None


def test_a_message_does_not_quote_a_sensitive_field() -> None:
    """A failure message that repeats what the step put out in a sensitive field is masked."""
    redaction = Redaction(SEALER, ["token"])
    redaction.sealed({"token": "abcdef123"})
    assert redaction.masked("login with abcdef123 failed") == "login with *** failed"
