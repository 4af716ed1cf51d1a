"""What is secret in a command line goes, and nothing else."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.learning.secret_filter import MASK, text_without_secrets, without_secrets
from tests.unit.learning.lines_with_secrets import ALIKE, FORMS, SECRET, TOKENS, WITH_SECRET

_SAFE = string.ascii_letters + string.digits + "!%^*_+:.,?#~"
secrets = st.text(_SAFE, min_size=6, max_size=30).filter(lambda s: s[0].isalpha() and MASK not in s)
pieces = st.sampled_from(
    [*"'\"\\ =:@/-$`|;&(){}[]<>,%\n", "--password", "token", "PASS", "-p", "mysql", "curl", "-u",
     "Authorization: Bearer ", "://", "hunter2", "***", "$X", "echo", "sudo -S", "<<<", "a", "ü"]
)  # fmt: skip


@pytest.mark.parametrize("line", WITH_SECRET)
def test_no_secret_is_left(line: str) -> None:
    """Nothing of the secret is in the line, and what stood around it is."""
    filtered = without_secrets(line)
    assert SECRET not in filtered
    assert not any(part in filtered for part in ("S3cr3t", "bl4nks"))
    assert MASK in filtered
    assert filtered.split()[0] == line.split(maxsplit=1)[0] or "=" in line.split(maxsplit=1)[0]
    assert without_secrets(filtered) == filtered


@pytest.mark.parametrize("line", ALIKE)
def test_what_looks_alike_stays(line: str) -> None:
    """References, files, hashes, images and prose about secrets are left as they are."""
    assert without_secrets(line) == line


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("form", FORMS)
def test_known_forms_are_found_anywhere(token: str, form: str) -> None:
    """A token is known by its form, whatever stands around it."""
    assert without_secrets(form.format(token)) == form.format(MASK)


@pytest.mark.parametrize(
    ("line", "filtered"),
    [
        ("mysql -u root -pS3cr3t! shop", "mysql -u root -p*** shop"),
        ("curl -u bob:S3cr3t! https://x.net", "curl -u bob:*** https://x.net"),
        ("curl -u 'bob:S3cr3t!' https://x.net", "curl -u 'bob:***' https://x.net"),
        ("curl https://bob:S3cr3t!@x.net/a", "curl https://bob:***@x.net/a"),
        (
            'curl -H "Authorization: Bearer S3cr3t!" https://x.net',
            'curl -H "Authorization: Bearer ***" https://x.net',
        ),
        ("export DB_PASSWORD='a b' && ./run", "export DB_PASSWORD=*** && ./run"),
        ('bash -c "./run --token=S3cr3t! now"', 'bash -c "./run --token=*** now"'),
        (
            """curl -d '{"user": "bob", "password": "S3cr3t!"}' x.net""",
            """curl -d '{"user": "bob", "password": "***"}' x.net""",
        ),
    ],
)
def test_what_is_around_stays(line: str, filtered: str) -> None:
    """Only the secret itself is replaced."""
    assert without_secrets(line) == filtered


@given(secret=secrets, form=st.sampled_from(WITH_SECRET))
@example(secret="A0000:", form="psexec.py corp/bob:S3cr3t!@10.0.0.1")
def test_any_secret_in_a_known_place(secret: str, form: str) -> None:
    """Whatever the secret is, nothing of it is left where one is known to stand."""
    line = form.replace(SECRET, secret)
    around = form.replace(SECRET, "")
    assert secret in around or secret not in without_secrets(line)


@given(st.lists(pieces, max_size=40).map("".join))
def test_filtering_twice_is_filtering_once(line: str) -> None:
    """What was filtered is left as it is, and no line is refused."""
    filtered = without_secrets(line)
    assert without_secrets(filtered) == filtered


@given(st.text(max_size=200))
def test_any_text_can_be_filtered(text: str) -> None:
    """No text is refused."""
    assert without_secrets(text).count("\n") <= text.count("\n")


def test_a_text_of_several_lines() -> None:
    """Of an alert or a ticket each line is filtered on its own, a private key as a whole."""
    key = "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
    text = f"It didn't start:\n  password: S3cr3t!\nhost web-1's disk\n{key}\nend"
    filtered = "It didn't start:\n  password: ***\nhost web-1's disk\n***\nend"
    assert text_without_secrets(text) == filtered


@pytest.mark.parametrize(
    "unit",
    ["curl -u ", "curl -u 'a b' ", "mysql -p", "://a:", "pass:", "-p_", "sk-a-", "a=b ", "$("],
)
def test_a_hostile_line_is_soon_done(unit: str) -> None:
    """Work grows with the length of a line, whatever is repeated in it: with its square or cube
    this would not end in the time that a test has."""
    without_secrets(unit * (20_000 // len(unit)))
