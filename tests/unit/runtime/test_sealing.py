"""Sealing: what is sealed is not readable, and comes back as it was."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.sealing import SEALED, Sealer, SealError, key_from_file

KEY = b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(json_values)
def test_a_sealed_value_comes_back(value: object) -> None:
    """Sealing and opening keep type and value."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(value)
    assert SEALED.fullmatch(sealed)
    assert sealer.open(sealed) == value


def test_only_named_fields_are_sealed() -> None:
    """The rest of the output stays as it is."""
    sealed = Sealer(KEY).seal_fields({"token": "s3cret", "code": 200}, ("token",))
    assert sealed["code"] == 200
    assert "s3cret" not in str(sealed)


def test_a_sealed_value_inside_a_text_is_put_back() -> None:
    """A header made of a sealed token is whole again."""
    sealer = Sealer(KEY)
    header = {"authorization": f"Bearer {sealer.seal('s3cret')}!", "list": [sealer.seal(5)]}
    assert sealer.open(header) == {"authorization": "Bearer s3cret!", "list": [5]}


def test_another_key_opens_nothing() -> None:
    """The error says why, and shows nothing of the value."""
    sealed = Sealer(KEY).seal("s3cret")
    with pytest.raises(SealError, match="another key"):
        Sealer(KEY[::-1].replace(b"=", b"") + b"=").open(sealed)


def test_the_key_file_is_made_once(tmp_path: Path) -> None:
    """Two processes get the same key, and nobody else can read it."""
    path = tmp_path / "new" / "seal.key"
    assert key_from_file(path) == key_from_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
