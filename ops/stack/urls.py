"""Server URLs: put a login in, take the password out before showing one."""

import re
from urllib.parse import urlsplit, urlunsplit

# One URL may name several servers of a cluster: `nats://u:p@a:4222,nats://u:p@b:4222`.
_PASSWORD = re.compile(r"(?P<user>(?:://|,)[^:@/,\s]*):[^@/,\s]*@")


def with_user(url: str, user: str, password: str) -> str:
    """Return a URL with these credentials in place of its own."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{address}"))


def without_password(url: str) -> str:
    """Return a URL as it may be shown: without any password."""
    return _PASSWORD.sub(r"\g<user>@", url)
