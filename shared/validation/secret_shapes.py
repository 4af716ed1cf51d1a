"""How secrets look in text: the forms of known ones, and names of what holds one.

Used by the rules about definitions and by the filter of recorded commands.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

KNOWN: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]{1,20} ){0,4}PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})\b")),
    ("a GitLab token", re.compile(r"\bgl(?:pat|rt|dt|cbt|ptt|soat)-[\w-]{20,}")),
    ("a Slack token", re.compile(r"\b(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}\b")),
    ("a Slack webhook", re.compile(r"hooks\.slack\.com/services/T\w{1,40}/B\w{1,40}/\w{20,}")),
    ("a Google API key", re.compile(r"\bAIza[\w-]{35}")),
    ("a Google OAuth token", re.compile(r"\bya29\.[\w-]{20,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}\b")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("a PyPI token", re.compile(r"\bpypi-[\w-]{40,}")),
    ("a Docker token", re.compile(r"\bdckr_pat_[\w-]{20,}")),
    ("a DigitalOcean token", re.compile(r"\bdo[opr]_v1_[0-9a-f]{32,}\b")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}\b")),
    ("a key of a model's API", re.compile(r"\bsk-[\w-]{20,}")),
    ("a Vault token", re.compile(r"\bhv[sbr]\.[\w-]{20,}")),
    ("a SendGrid key", re.compile(r"\bSG\.[\w-]{16,80}\.[\w-]{16,}")),
    ("a Shopify token", re.compile(r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b")),
    ("an Atlassian token", re.compile(r"\bATATT3x[\w=-]{20,}")),
    ("a Tailscale key", re.compile(r"\btskey-[a-z]{1,20}-[\w-]{10,}")),
    ("a key of this system", re.compile(r"\bhive_[A-Za-z0-9_-]{40,}")),
    ("a JSON Web Token", re.compile(r"\beyJ[\w-]{8,400}\.eyJ[\w-]{8,4000}\.[\w-]{8,}")),
    ("an age key", re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]{40,}\b")),
)

_COMPONENT: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS: Final = ("password", "passwd", "passphrase", "secret", "token", "passcode")
_ALSO: Final = frozenset(
    {"pass", "apikey", "accesskey", "secretkey", "privatekey", "credential", "credentials",
     "bearer", "userpass", "authkey"}
)  # fmt: skip
_KEYS: Final = frozenset(
    {"api", "access", "private", "secret", "auth", "account", "encryption", "signing", "master",
     "license", "deploy"}
)  # fmt: skip
_INSIDE: Final = frozenset({"password", "passwd", "passphrase", "secret", "token"})
_NOT_ITSELF: Final = frozenset(
    {"file", "files", "path", "dir", "directory", "name", "names", "id", "ids", "arn", "ref",
     "refs", "ttl", "stdin", "env", "length", "len", "type", "policy", "policies", "url", "uri",
     "expiry", "expires", "field", "manager", "store", "version", "min", "max", "age", "count",
     "namespace", "limit", "format", "provider", "mount", "engine", "bucket", "endpoint", "list",
     "mode", "auth", "callback", "reset", "fd", "command", "cmd", "prompt", "rotation", "issuer",
     "audience", "server", "service", "class", "generator", "scope", "scopes", "required"}
)  # fmt: skip


def names_secret(name: str) -> bool:
    """Whether `name` (of a field, a variable, an option) says that it holds a secret: so do
    `DB_PASSWORD`, `apiKey`, `x-auth-token` and `SECRET_KEY_BASE`, but not `token_ttl`."""
    parts = [part.lower() for part in _COMPONENT.findall(name) if not part.isdigit()]
    if not parts:
        return False
    *before, last = parts
    if last.endswith(_ENDINGS) or last in _ALSO:
        return True
    if last == "pwd":
        return bool(before) and before != ["old"]
    if last == "key":
        return bool(before) and before[-1] in _KEYS
    return last not in _NOT_ITSELF and any(part in _INSIDE for part in before)


_LIKE_SECRET: Final = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|(api|private|access|auth)[_-]?key|^auth$",
    re.IGNORECASE,
)


def may_name_secret(name: str) -> bool:
    """Whether `name` (of a parameter) has anything of a secret's: all that `names_secret` says, and
    also `token_ttl`. For what is better left out where it is in doubt."""
    return bool(_LIKE_SECRET.search(name)) or names_secret(name)


def entropy(text: str) -> float:
    """Bits for each character, by how often each occurs (Shannon, 1948)."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
