"""Where the gateway is and which key to show it.

In this order: `--url` and `--key-file`; the environment, HIVE_URL and HIVE_API_KEY; what the stack
of this home wrote, `.hive/stack.json` and `.hive/admin.key`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ops.stack import state
from ops.stack.layout import Layout
from services.cli.advice import hv
from services.cli.outcome import CliError, ExitCode

KEY_LIMIT_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Connection:
    """A gateway's address and the API key for it; the key is never shown."""

    url: str
    key: str = field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: then no proxy stands between."""
        return (urlsplit(self.url).hostname or "") in ("127.0.0.1", "localhost", "::1")

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS protects the way to it."""
        return urlsplit(self.url).scheme == "https"

    def socket_url(self, path: str) -> str:
        """The address of a WebSocket of this gateway."""
        return "ws" + self.url.removeprefix("http") + path


def find_connection(url: str | None, key_file: Path | None) -> Connection:
    """The gateway to talk to. Raises `CliError` when there is none, or no key for it."""
    layout = Layout.from_environment()
    address = url or os.environ.get("HIVE_URL") or _url_of_stack(layout)
    if not address:
        raise CliError(
            f"No stack runs on {layout.root} and no gateway is named: "
            f"start one with `{hv('up')}`, or give --url or HIVE_URL.",
            ExitCode.NOT_REACHABLE,
        )
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise CliError(f"{address!r} is not an address such as http://127.0.0.1:8902.")
    return Connection(address.rstrip("/"), _key(key_file, layout))


def _url_of_stack(layout: Layout) -> str | None:
    record = state.running(layout)
    return record.urls.get("gateway") if record else None


def _key(key_file: Path | None, layout: Layout) -> str:
    given = os.environ.get("HIVE_API_KEY", "").strip()
    if key_file is None and given:
        return _one_key(given, "HIVE_API_KEY")
    path = key_file or layout.admin_key
    try:
        with path.open("rb") as file:
            text = file.read(KEY_LIMIT_BYTES).decode("ascii", errors="replace").strip()
    except OSError as error:
        raise CliError(
            f"The API key cannot be read from {path}: {error.strerror}. "
            "Give --key-file or HIVE_API_KEY.",
            ExitCode.NOT_REACHABLE,
        ) from None
    return _one_key(text, str(path))


def _one_key(text: str, where: str) -> str:
    """The key, if it is one: a single word of plain characters, as a header can hold it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise CliError(f"{where} does not hold one API key.", ExitCode.NOT_REACHABLE)
    return text
