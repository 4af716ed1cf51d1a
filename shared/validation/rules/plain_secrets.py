"""Rules about secrets in plain text: by the form that known ones have, by the name of the field
they stand in, and by how much chance there is in a text (its entropy, after Shannon).

A definition is stored for ever, shown to everybody who may read workflows, and exported into
repositories. What a finding quotes of a secret is its beginning, never the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from shared.validation.rule import Example, Found, Rule
from shared.validation.secret_shapes import KNOWN, entropy
from shared.validation.subject import Subject

_KNOWN: Final = (
    *KNOWN,
    (
        "a password in an address",
        re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@${]{1,200}:(?!\$)[^\s@/${]{3,200}@"),
    ),
)
_FIELD: Final = re.compile(
    r"(?i)(?:^|[_.-])(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|client[_-]?secret|credentials?)$"
)
_ASSIGNED: Final = re.compile(
    r"(?i)\b(\w{0,60}?(?:password|passwd|secret|token|api_?key|access_?key))\s{0,9}[=:]\s{0,9}"
    r"(['\"]?)([^\s'\"$<{]{6,})\2"
)
_BASIC: Final = re.compile(r"(?:\s-u|--user)[ =]([^\s:$'\"]{1,200}):([^\s$'\"]{3,200})")
_WORD: Final = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_HEX: Final = re.compile(r"^[0-9a-f]+$|^[0-9A-F]+$")
_EXAMPLES: Final = re.compile(
    r"(?i)example|changeme|placeholder|redacted|xxxx|\*\*\*|dummy|your[_-]"
)
_MIN_ENTROPY: Final = 4.2
"""Bits for each character; English text has about 4, random base64 about 5.5 in 32 characters."""
_NO_SECRET: Final = re.compile(r"^(?:true|false|null|none|\d{1,5}|/[\w./-]*|[a-z]+)$")


def _plain(subject: Subject) -> Iterator[Found]:
    for path, text in subject.texts:
        if path.startswith("policies/validation/suppress/"):
            continue
        found = _known(text) or _by_field(path, text) or _assigned(text) or _random(path, text)
        if found is not None:
            what, start = found
            yield Found(
                path,
                f"this looks like {what}: `{_beginning(text[start:])}`",
                "keep it on the agents (`hv secrets set NAME`), write `${{ secrets.NAME }}`, and "
                "replace it where it is used, for it is known now",
                place=subject.inside(path, start) if start else None,
            )


def _beginning(text: str) -> str:
    return f"{text.strip()[:4]}…"


def _known(text: str) -> tuple[str, int] | None:
    for what, pattern in _KNOWN:
        match = pattern.search(text)
        if match is not None and not _EXAMPLES.search(match.group()):
            return what, match.start()
    return None


def _by_field(path: str, text: str) -> tuple[str, int] | None:
    """A literal in a field that is named as secrets are, of parameters and defaults."""
    *holders, name = path.split("/")
    inside = "parameters" in holders or name == "default"
    field = holders[-1] if name == "default" and holders else name
    plain = "${{" not in text and len(text) >= 6 and not _NO_SECRET.match(text)
    if inside and plain and _FIELD.search(field) and not _EXAMPLES.search(text):
        return f"the value of `{field}`", 0
    return None


def _assigned(text: str) -> tuple[str, int] | None:
    for match in _ASSIGNED.finditer(text):
        value = match[3]
        telling = entropy(value) >= 2.5 and not _NO_SECRET.match(value)
        if telling and not _EXAMPLES.search(value) and not value.startswith(("(", "[")):
            return f"the value of `{match[1]}`", match.start(3)
    basic = _BASIC.search(text)
    if basic is not None and not _EXAMPLES.search(basic.group()):
        return "a password of a user", basic.start(2)
    return None


def _random(path: str, text: str) -> tuple[str, int] | None:
    """A long word of nothing but chance; checksums and ids are written in hexadecimal digits."""
    if not path.startswith(("steps/", "on_failure/", "finally/", "parameters/")):
        return None
    for match in _WORD.finditer(text):
        word = match.group()
        mixed = (
            re.search(r"[0-9]", word) and re.search(r"[A-Z]", word) and re.search(r"[a-z]", word)
        )
        if mixed and not _HEX.match(word) and "/" not in word and entropy(word) >= _MIN_ENTROPY:
            return "a secret: it is as good as random", match.start()
    return None


_HEAD: Final = "id: export_users\nname: Export the users\nsteps:\n"
_STEP: Final = """\
  - id: export
    command: http
    parameters:
      url: https://api.internal.net/users
      headers: {{Authorization: "Bearer {bearer}"}}
"""

RULES: Final = (
    Rule(
        code="plain-secret",
        level="strict",
        severity="error",
        summary="A secret stands in the definition in plain text.",
        why="A definition is kept for ever, and everybody who may read workflows can read it. What "
        "was stored once must be counted as known.",
        check=_plain,
        bad=Example(_HEAD + _STEP.format(bearer="gl" + "pat-Zx81kQm4Tn0Rw7Ld2VbY")),
        good=Example(_HEAD + _STEP.format(bearer="${{ secrets.users_api }}")),
    ),
)
