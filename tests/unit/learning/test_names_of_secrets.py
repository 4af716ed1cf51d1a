"""What a name says of the value: one place tells it, and in doubt a value is left out."""

from __future__ import annotations

import pytest

from shared.validation.secret_shapes import may_name_secret, names_secret


@pytest.mark.parametrize(
    "name",
    [
        "token_ttl",
        "secretName",
        "auth",
        "credentials_file",
        "apikey_id",
        "access-key-id",
        "my_passwords",
    ],
)
def test_in_doubt_a_parameter_is_left_out(name: str) -> None:
    """Also what a filter of command lines keeps."""
    assert may_name_secret(name)


@pytest.mark.parametrize("name", ["userpass", "SECRET_KEY_BASE", "bearer", "signing_key", "db_pwd"])
def test_what_names_a_secret_may_name_one(name: str) -> None:
    """Nothing that the stricter question finds is missed by the wider one."""
    assert names_secret(name)
    assert may_name_secret(name)


@pytest.mark.parametrize("name", ["host", "key", "author", "passenger", "version"])
def test_other_names_are_none(name: str) -> None:
    """They are learned from."""
    assert not may_name_secret(name)
