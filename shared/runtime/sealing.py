"""Sealing: sensitive outputs leave an agent encrypted, and are opened only where a step uses them.

A sealed value is the text `sealed:v1:<Fernet token>`. It may stand inside a longer text (a header
made of a token, say); opening puts the value back in its place. All agents share one key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken

PREFIX: Final = "sealed:v1:"
SEALED: Final = re.compile(r"sealed:v1:[A-Za-z0-9_=-]+")

OnOpened = Callable[[Any], object]


def _ignore(_value: Any) -> None:
    pass


class SealError(Exception):
    """A sealed value cannot be opened: it was sealed with another key, or damaged."""


class Sealer:
    """Seals and opens values with one key."""

    def __init__(self, key: bytes) -> None:
        """`key` is 32 bytes as url-safe base 64; raises `SealError` when it is not."""
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise SealError(f"not a sealing key: {error}") from None

    def seal(self, value: Any) -> str:
        """A JSON value as one sealed text."""
        return PREFIX + self._fernet.encrypt(json.dumps(value).encode()).decode()

    def seal_fields(self, output: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
        """An output with those of its top-level fields sealed that are named."""
        if not fields:
            return output
        return {k: self.seal(v) if k in fields else v for k, v in output.items()}

    def open(self, value: Any, on_opened: OnOpened = _ignore) -> Any:
        """A JSON value with everything sealed in it opened; raises `SealError`.

        `on_opened` is given every value that was sealed.
        """
        if isinstance(value, str):
            return self._open_text(value, on_opened) if PREFIX in value else value
        if isinstance(value, dict):
            return {key: self.open(item, on_opened) for key, item in value.items()}
        if isinstance(value, list):
            return [self.open(item, on_opened) for item in value]
        return value

    def _open_text(self, text: str, on_opened: OnOpened) -> Any:
        if SEALED.fullmatch(text):
            return self._open_one(text, on_opened)
        return SEALED.sub(lambda match: _as_text(self._open_one(match.group(), on_opened)), text)

    def _open_one(self, sealed: str, on_opened: OnOpened) -> Any:
        try:
            value = json.loads(self._fernet.decrypt(sealed.removeprefix(PREFIX).encode()))
        except InvalidToken:
            raise SealError("a sealed value was sealed with another key") from None
        on_opened(value)
        return value


def sealed_places(value: Any, place: str = "") -> Iterator[str]:
    """Where something sealed stands in a JSON value, such as `files[0].content`."""
    if isinstance(value, str):
        if PREFIX in value:
            yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from sealed_places(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from sealed_places(item, f"{place}[{index}]")


def key_from_file(path: Path) -> bytes:
    """The sealing key in a file of mode 0600, made if missing. Safe when several processes try."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(Fernet.generate_key())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            draft.unlink()
    return path.read_bytes().strip()


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
