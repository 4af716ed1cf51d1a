"""Server URLs: put a login in, take the password out before showing one."""

from urllib.parse import urlsplit, urlunsplit


def with_user(url: str, user: str, password: str) -> str:
    """Return a URL with these credentials in place of its own."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{address}"))


def without_password(url: str) -> str:
    """Return a URL as it may be shown: without the password."""
    parts = urlsplit(url)
    login, at, address = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login.partition(':')[0]}{at}{address}"))
