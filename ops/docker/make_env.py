"""`python3 ops/docker/make_env.py`: make the passwords that docker-compose.yml reads from `.env`.

Needs nothing but Python. What is already in the file stays as it is; what is missing is added, so
that running it again is always safe. The file belongs to its owner only (mode 0600).
"""

import os
import secrets
import sys
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parents[2] / ".env"
PASSWORD_BYTES = 32
MONGO_KEY_BYTES = 256

PASSWORDS = (
    "NATS_GATEWAY_PASSWORD",
    "NATS_COORDINATOR_PASSWORD",
    "NATS_RUNNER_PASSWORD",
    "NATS_VALIDATOR_PASSWORD",
    "NATS_EXECUTOR_PASSWORD",
    "NATS_ROLLBACK_PASSWORD",
    "NATS_LEARNING_PASSWORD",
    "NATS_SUGGESTION_PASSWORD",
    "NATS_ADMIN_PASSWORD",
    "MONGO_ROOT_PASSWORD",
    "MONGO_HIVE_PASSWORD",
    "GRAFANA_PASSWORD",
)
MONGO_KEY = "MONGO_KEY"


def main(path: Path = ENV_FILE) -> int:
    """Add what is missing and say so; never print a value."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    added = missing(text)
    if text and not text.endswith("\n"):
        text += "\n"
    _write_private(path, text + "".join(f"{name}={value}\n" for name, value in added.items()))
    said = f"added {', '.join(added)}" if added else "nothing was missing"
    sys.stdout.write(f"{path}: {said}\n")
    return 0


def missing(text: str) -> dict[str, str]:
    """Return new values for the variables that `text`, the content of an .env file, lacks.

    Values begin with a letter: nats-server reads one that begins with a digit as a number.
    """
    known = {line.partition("=")[0].strip() for line in text.splitlines()}
    made = {name: f"p{secrets.token_hex(PASSWORD_BYTES)}" for name in PASSWORDS}
    made[MONGO_KEY] = f"k{secrets.token_hex(MONGO_KEY_BYTES)}"
    return {name: value for name, value in made.items() if name not in known}


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
