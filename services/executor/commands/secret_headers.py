"""Keeping the values of secret request headers out of everything a command says."""

import re
from collections.abc import Mapping

import httpx

HIDDEN = "[hidden]"
"""What stands in place of a secret."""

SHORTEST_SECRET = 6
"""Shorter values are not searched for in responses: they would hide ordinary words."""

_SECRET_NAME = re.compile(
    r"^(proxy-)?authorization$|^cookie$|(token|secret|password|passwd|api-?key|auth|signature|session)",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether the value of a header of this name must not be shown."""
    return _SECRET_NAME.search(name) is not None


class Scrubber:
    """Replaces secret values that a server sends back."""

    def __init__(self, headers: Mapping[str, str], url: httpx.URL) -> None:
        secrets = {value for name, value in headers.items() if is_secret(name)}
        # The credential without its scheme: servers that echo it often leave `Bearer` out.
        secrets |= {value.split(" ", 1)[1].strip() for value in secrets if " " in value}
        secrets.add(url.password)
        longest_first = sorted(secrets, key=len, reverse=True)
        self._secrets = [value for value in longest_first if len(value) >= SHORTEST_SECRET]

    def clean(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def shown(url: httpx.URL) -> str:
    """The address without credentials, query and fragment: each of them may hold a secret."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))


def without_secrets(headers: httpx.Headers) -> httpx.Headers:
    """Request headers for another origin than they were meant for."""
    return httpx.Headers([(n, v) for n, v in headers.raw if not is_secret(n.decode())])
