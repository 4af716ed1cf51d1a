"""What is secret in a command line becomes `***`: before it leaves the machine, and again before it
is stored.

Found are: the known forms of tokens and keys; passwords in addresses; values of variables, fields,
options and headers whose names say so; arguments of programs that take a password; words that are
as good as random. Kept are references to variables (`$TOKEN`, `$(pass show x)`), names of files,
hashes in hexadecimal digits, public keys. Filtering twice is filtering once.

A filter by form cannot know every secret: `./deploy hunter2` keeps it. Where that matters, a line
is not recorded at all (a blank before it, a pattern, an opt-out).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

from shared.learning.secret_arguments import Span, argument_spans
from shared.learning.shell_text import WORD, enclosing_quotes
from shared.validation.secret_shapes import KNOWN, entropy, names_secret

MASK: Final = "***"
_PASSES: Final = 5
"""A line is looked at again until nothing more is found, at most so often."""

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----.*?(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|$)",
    re.DOTALL,
)
_IN_ADDRESS: Final = re.compile(
    r"""[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s:/@'"?#]{0,200}:"""
    r"""(?!\d{1,5}(?:[/'"\s?#]|$))([^\s'"]{1,1000})@"""
)
_BEFORE_HOST: Final = re.compile(
    r"""(?<![\w.@:/-])[A-Za-z][\w.-]*(?:[/\\]+[\w.$-]+)?:([^\s@/'"]{1,200})@"""
    r"""(?=\d{1,3}\.\d|[A-Za-z][\w-]*\.[A-Za-z])"""
)
_HEADER: Final = re.compile(
    r"""(?i)(?<![\w-])(?:proxy-)?(?:authorization|cookie|set-cookie)(\\?["'])?\s*[:=]\s*(\\?["'])?"""
    r"""(?:(?:bearer|basic|token|digest|apikey|negotiate|key)(?:\\?\s)+)?"""
)
_SCHEME: Final = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey|negotiate)\s+")
_NAMED: Final = re.compile(
    r"""(?<![\w.$-])-*([A-Za-z0-9_][\w.-]*)((?:\\?["'])?)(\s*)([:=]=?)(\s*)(\\?["'])?"""
)
_OPTION: Final = re.compile(r"""(?<![\w-])--?([A-Za-z][\w-]+)['"]?\s+(?=[^\s-])""")
_NO_VALUE: Final = frozenset(
    {"with", "show", "no", "ask", "prompt", "generate", "print", "use", "rotate", "require",
     "reset", "change", "disable", "enable", "skip", "get", "create", "delete", "list", "request"}
)  # fmt: skip
_REFERENCE: Final = re.compile(
    r"(?:\$\w+|\$\{\w+\}|%\w+%|[:@/.,-])+|\$|\$\(.*|`.*|\{\{.*|\$\{\{.*|[@<]\S*", re.DOTALL
)
_PLAIN: Final = re.compile(r"(?i)true|false|null|none|nil|yes|no|on|off|str|string|int|bool|\W*")
_PLACE: Final = re.compile(r"(?:~|\.{1,2})?/[\w./@-]*|[a-z]+|v?\d+(?:\.\d+)*|\W.*|id=.*|type=.*")
_IMAGE: Final = re.compile(r"v?\d+(?:\.\d+)+(?:-[\w.]+)?|latest|stable")
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_SEGMENT: Final = re.compile(r"[^/]{20,}")
_HEX: Final = re.compile(r"[0-9a-f-]+|[0-9A-F-]+")
_PUBLIC: Final = re.compile(r"(?:sha(?:256|384|512)[-:]|SHA256:|ssh-\w+\s+|ecdsa-[\w-]+\s+)$")
_PUBLIC_KEY: Final = re.compile(r"AAAA[BCE][23][NV]z")
LONG: Final = 20
"""Characters of a word that may be random."""
_MIN_ENTROPY: Final = 3.8
_MIN_SWITCHES: Final = 0.27
"""Of neighbouring characters, the share that are of two kinds (capital, small, digit), but for a
capital before a small letter, which begins a word. Of random ones 0.44 are; of words written
together, with capitals and numbers, about 0.2."""


def without_secrets(line: str) -> str:
    """`line`, with `***` in place of each secret that is found."""
    for _ in range(_PASSES):
        before, line = line, _masked(line, _joined(_spans(line)))
        if line == before:
            break
    return line


def text_without_secrets(text: str) -> str:
    """The same for a text of several lines, such as an alert."""
    whole = _PRIVATE_KEY.sub(MASK, text)
    return "\n".join(without_secrets(line) for line in whole.split("\n"))


def _spans(line: str) -> Iterator[Span]:
    quotes = enclosing_quotes(line)
    yield from (match.span() for match in _PRIVATE_KEY.finditer(line))
    for _, pattern in KNOWN:
        yield from (match.span() for match in pattern.finditer(line))
    for pattern in (_IN_ADDRESS, _BEFORE_HOST):
        yield from _secret_only(line, (match.span(1) for match in pattern.finditer(line)))
    yield from _secret_only(line, _headers(line, quotes))
    yield from _secret_only(line, _named(line, quotes))
    yield from _secret_only(line, _options(line, quotes))
    yield from _secret_only(line, argument_spans(line))
    yield from _random(line)


def _secret_only(line: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Those that hold a text, and no reference to where one is."""
    for start, end in spans:
        text = line[start:end].strip("'\"\\")
        if text and text != MASK and not _REFERENCE.fullmatch(text):
            yield start, end


def _headers(line: str, quotes: list[str]) -> Iterator[Span]:
    for match in _HEADER.finditer(line):
        start, inner = match.end(), match[2]
        if inner or match[1]:
            closing = inner or match[1]
            yield start, _until(line, start, closing) if inner else _value_end(line, start, quotes)
        elif quotes[match.start()]:
            yield start, _until(line, start, quotes[match.start()])
        else:
            yield start, _value_end(line, start, quotes)


def _named(line: str, quotes: list[str]) -> Iterator[Span]:
    """Values of variables, fields and parameters of addresses."""
    for match in _NAMED.finditer(line):
        name, closed, before, sign, after, opened = match.groups()
        if not names_secret(name):
            continue
        quoted = bool(quotes[match.start()])
        if "=" in sign and not quoted and (before or after):
            continue  # a shell takes no blanks there
        if closed and not (quoted and opened) and ":" in sign and not quoted:
            continue
        start = match.end() - len(opened or "")
        inner = opened if opened and quoted and opened != quotes[match.start()] else None
        end = _until(line, match.end(), inner) if inner else _value_end(line, start, quotes)
        value = line[match.end() if inner else start : end]
        if not _harmless(name, value, colon=":" in sign and not quoted, quoted=quoted):
            yield (match.end() if inner else start), end


def _harmless(name: str, value: str, *, colon: bool, quoted: bool) -> bool:
    bare = value.strip("'\"")
    if _PLAIN.fullmatch(bare) or _is_count(name, bare):
        return True
    if colon:  # `image/secret:1.2`, `grep token: src`
        return bool(_PLACE.fullmatch(bare) or _IMAGE.fullmatch(bare))
    return quoted and bare.startswith((":", "["))


def _is_count(name: str, bare: str) -> bool:
    """`pass=3` counts, as does `-pass 1`."""
    return name.lower() in {"pass", "token"} and bare.isdigit() and len(bare) < 3


def _options(line: str, quotes: list[str]) -> Iterator[Span]:
    """Values of options whose names say so, in the next word."""
    for match in _OPTION.finditer(line):
        name = match[1]
        if names_secret(name) and name.partition("-")[0].lower() not in _NO_VALUE:
            start, end = match.end(), _value_end(line, match.end(), quotes)
            named = line.startswith(("id=", "type=", "name="), start)
            if not named and not _is_count(name, line[start:end]):
                yield start, end


def _value_end(line: str, start: int, quotes: list[str]) -> int:
    """Where a value ends that begins here: a word of the shell, or, in quotes, what is before a
    blank, an operator, or the end of the quotes, unless it has quotes of its own."""
    quote = quotes[start]
    if not quote:
        word = WORD.match(line, start)
        return word.end() if word else start
    if line[start : start + 1] in {"'", '"'} - {quote}:
        return _until(line, start + 1, line[start])
    if line.startswith("\\" + quote, start):
        return _until(line, start + 2, "\\" + quote)
    braces = any(0 <= at < start for at in (line.find("{"), line.find("[")))
    stops = r"\s&;|)" + (r",}\]" if braces else "")
    found = re.compile(rf"(?:\\.|[^{stops}\\{quote}])*").match(line, start)
    return found.end() if found else start


def _until(line: str, start: int, closing: str) -> int:
    at = line.find(closing, start)
    return len(line) if at < 0 else at


def _random(line: str) -> Iterator[Span]:
    """Long words of nothing but chance."""
    for match in _RUN.finditer(line):
        word, start = match.group(), match.start()
        if _PUBLIC.search(line, 0, start) or _PUBLIC_KEY.match(word):
            continue
        parts = [part.span() for part in _SEGMENT.finditer(word) if _is_random(part.group())]
        if parts:
            yield from ((start + first, start + last) for first, last in parts)
        elif core := _core(word):
            yield start + core[0], start + core[1]


def _core(word: str) -> Span | None:
    """Where a random text with `/` in it begins and ends, without plain segments around it."""
    segments = [part.span() for part in re.finditer(r"[^/]+", word)]
    mixed = [span for span in segments if len({_kind(char) for char in word[slice(*span)]}) > 1]
    if not mixed:
        return None
    start, end = mixed[0][0], len(word) if mixed[-1] == segments[-1] else mixed[-1][1]
    return (start, end) if end - start >= LONG and _is_random(word[start:end]) else None


def _is_random(word: str) -> bool:
    kinds = [_kind(char) for char in word]
    if {"a", "A", "0"} - set(kinds) or _HEX.fullmatch(word):
        return False
    pairs = [pair for pair in itertools.pairwise(kinds) if "" not in pair]
    switches = sum(left != right and (left, right) != ("A", "a") for left, right in pairs)
    return switches >= _MIN_SWITCHES * len(pairs) and entropy(word) >= _MIN_ENTROPY


def _kind(char: str) -> str:
    if char.isdigit():
        return "0"
    return "a" if char.islower() else "A" if char.isupper() else ""


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch or overlap as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _masked(line: str, spans: list[Span]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [line[at:start], MASK]
        at = end
    return "".join([*parts, line[at:]])
