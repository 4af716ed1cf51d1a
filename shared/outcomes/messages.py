"""Error messages without what varies and without what is private: what they have in common.

Values become placeholders in angle brackets: addresses, paths, numbers, names of hosts, times, ids,
what stands in quotes, and whatever follows a word that names a secret. Long tokens that mix letters
and digits are taken for ids. What is left are the words of the program that failed.
"""

from __future__ import annotations

import re
from typing import Final

MAX_CHARACTERS: Final = 1_000
"""Of a message; the rest is not looked at, nor shown."""
MAX_TOKENS: Final = 40
"""Tokens of a message that are looked at."""
ANY: Final = "<*>"
"""What differs between messages of one pattern."""

_CONFIDED: Final = (
    r"(?i)\b(pass(?:word|wd|phrase)?|token|secret|api[-_]?key|authorization|credential)s?"
    r"(\s*[:=]\s*|\s+)(?:bearer\s+|basic\s+)?"
    r"(?!(?:for|is|was|has|have|not|in|of|from|expired|required|missing|invalid)\b)\S+"
)
_HOST: Final = (
    r"\b(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+"
    r"(?!(?:py|sh|js|go|json|ya?ml|log|txt|conf)\b)[a-zA-Z]{2,}(?::\d+)?\b"
)
_NUMBER: Final = (
    r"(?<![\w<.])[-+]?\d+(?:[.,]\d+)*"
    r"(?:\s?(?:ms|µs|us|ns|s|secs?|seconds?|min|minutes?|h|hours?|days?|[KMGT]i?B|bytes?|B|%))?"
    r"(?![\w>])"
)
_MASKS: Final = (
    (_CONFIDED, r"\1 <SECRET>"),
    (r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>]+", "<URL>"),
    (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*", "<EMAIL>"),
    (r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`", "<TEXT>"),
    (r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", "<TIME>"),
    (r"\b\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\b", "<TIME>"),
    (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<ID>"),
    (r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?(?::\d+)?(?![\w.])", "<IP>"),
    (r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])", "<IP>"),
    (r"(?<![\w<])(?:~|\.{1,2})?/[^\s:,;'\"<>()\[\]]+", "<PATH>"),
    (r"\b[A-Za-z]:\\[^\s:,;'\"<>]+", "<PATH>"),
    (r"\b0x[0-9a-fA-F]+\b", "<ID>"),
    (r"\b(?=[\w-]*\d)(?=[\w-]*[a-zA-Z])[\w-]{16,}\b", "<ID>"),
    (_HOST, "<HOST>"),
    (_NUMBER, "<NUM>"),
)
_COMPILED: Final = tuple((re.compile(pattern), by) for pattern, by in _MASKS)
_SPLIT: Final = re.compile(r"<[A-Z]+>|[\w.$+-]+(?:'\w+)?|[^\w\s]")
_WORD: Final = re.compile(r"<[A-Z]+>|\w")


def masked(message: str) -> str:
    """The message, its values replaced by placeholders: fit for being shown to anyone."""
    message = message[:MAX_CHARACTERS]
    for pattern, by in _COMPILED:
        message = pattern.sub(by, message)
    return " ".join(message.split())


def tokens_of(message: str) -> tuple[str, ...]:
    """The words of the masked message; words with digits in them are values, too."""
    found = [one for one in _SPLIT.findall(masked(message)) if _WORD.search(one)]
    return tuple(
        ANY if any(c.isdigit() for c in one) and not one.startswith("<") else one
        for one in found[:MAX_TOKENS]
    )
