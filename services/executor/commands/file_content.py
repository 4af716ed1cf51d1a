"""What a file holds, as text in parameters and output: plain, base64, or a filled template."""

import base64
import binascii
import string
from collections.abc import Mapping
from pathlib import Path

from services.executor.commands.base import Failed
from services.executor.commands.containment import FileError
from shared.commands.file import Scalar


def decoded(content: str, encoding: str) -> bytes:
    """The bytes that a parameter stands for. Raises FileError."""
    if encoding == "utf-8":
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        message = f"'content' is not base64: {error}"
        raise FileError(Failed("invalid_content", message)) from error


def encoded(data: bytes, encoding: str, path: Path) -> str:
    """The bytes of a file as text. Raises FileError if they are not UTF-8 but should be."""
    if encoding == "base64":
        return base64.b64encode(data).decode()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"'{path}' is not UTF-8 text; to read it as it is, use encoding: base64"
        raise FileError(Failed("not_text", message)) from error


def filled(text: str, values: Mapping[str, Scalar]) -> bytes:
    """A template with `${name}` (or `$name`) replaced and `$$` made `$`. Raises FileError."""
    template = string.Template(text)
    if not template.is_valid():
        message = "the template has a '$' that starts no name; write '$$' for a dollar sign"
        raise FileError(Failed("invalid_template", message))
    missing = [name for name in template.get_identifiers() if name not in values]
    if missing:
        listed = ", ".join(missing)
        raise FileError(Failed("missing_values", f"the template needs values for: {listed}"))
    return template.substitute({name: _printed(values[name]) for name in values}).encode()


def _printed(value: Scalar) -> str:
    # Configuration files say true, not True.
    return str(value).lower() if isinstance(value, bool) else str(value)
