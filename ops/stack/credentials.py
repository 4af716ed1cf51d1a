"""The servers' passwords and last ports: made once, kept under mode 0600, the same after every
restart.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ops.stack.errors import StackError
from ops.stack.layout import write_private

PASSWORD_BYTES = 32


@dataclass(slots=True)
class Credentials:
    """Passwords by `<server>.<user>`, and the ports that each server had last."""

    passwords: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def password(self, name: str) -> str:
        """Return the password of that name, making a random one of 256 bits at its first use."""
        return self.passwords.setdefault(name, secrets.token_hex(PASSWORD_BYTES))

    def passwords_of(self, server: str, users: Iterable[str]) -> dict[str, str]:
        """Return the passwords of several users of one server, by user name."""
        return {user: self.password(f"{server}.{user}") for user in users}

    def save(self, path: Path) -> None:
        """Write them to `path`, for its owner only."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")


def load(path: Path) -> Credentials:
    """Read what `save` wrote, or start empty. Raises `StackError` when the file is damaged."""
    if not path.exists():
        return Credentials()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(passwords=dict(data["passwords"]), ports=dict(data["ports"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"{path} is damaged ({error}); it holds the servers' passwords. "
            f"Restore it, or move the whole folder {path.parent} away to start with empty servers."
        ) from error
