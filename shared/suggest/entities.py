"""What is named in a text: hosts, services, severities, times, ids, files …

The law:

* A pattern says what it is by how it looks (an address, an id) or by the word beside it
  (`host web-1`, `user: anna`). What could be anything is not named.
* Where two overlap, the one that begins first wins, then the longer one, then the earlier kind of
  the table: a text is never told to be two things at one place.
* A value is the text in one form: ids in capitals, severities as templates have them, times as
  `HH:MM`. What cannot be brought into it stays as it stands.
* It is evidence for parameters, never more: people see what was found before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.suggest.cue import compiled

MOST_CHARACTERS: Final = 20_000
"""Of a longer text the beginning is read."""

MOST_ENTITIES: Final = 200


class Kind(StrEnum):
    """What an entity is."""

    CVE = "cve"
    ADVISORY = "advisory"
    TICKET = "ticket"
    URL = "url"
    EMAIL = "email"
    ADDRESS = "address"
    PORT = "port"
    FILE = "file"
    SETTING = "setting"
    VERSION = "version"
    TIME_WINDOW = "time_window"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"
    SEVERITY = "severity"
    PRIORITY = "priority"
    USER = "user"
    HOST = "host"
    SERVICE = "service"


@dataclass(frozen=True)
class Entity:
    """Something named in a text."""

    kind: Kind
    value: str
    text: str
    """As it stands in the text."""
    start: int


_WORDS: Final = {
    "<CLOCK>": r"(?<![\d:.T])(?:(?:[01]?\d|2[0-4])[:.h][0-5]\d(?:\s?[ap]\.?m\b\.?)?|"
    r"(?:1[0-2]|[1-9])\s?[ap]\.?m\b\.?)(?![:.]?\d)",
    "<ZONE>": r"(?:UTC|GMT|CES?T|BST|[ECMP][DS]?T|Z)\b",
    "<MONTH>": r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b",
    "<DAY>": r"(?:mon|tues|wednes|thurs|fri|satur|sun)day",
    "<NAME>": r"[a-z0-9](?:[a-z0-9_.-]{0,61}[a-z0-9])?",
}
_PATTERNS: Final[tuple[tuple[Kind, str], ...]] = (
    (Kind.CVE, r"\bCVE-\d{4}-\d{4,7}\b"),
    (
        Kind.ADVISORY,
        r"""
        \b(?:GHSA(?:-[0-9a-z]{4}){3}|(?:USN|DSA|DLA)-\d+-\d+|RH[SBE]A-\d{4}:\d+|CWE-\d+)\b
        """,
    ),
    (Kind.URL, r"\bhttps?://[^\s<>\"']{1,300}[^\s<>\"'.,;:!?)\]]"),
    (Kind.EMAIL, r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b"),
    (
        Kind.ADDRESS,
        r"""
        \b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:/\d{1,2})?
        (?::\d{1,5})?\b
        """,
    ),
    (Kind.PORT, r"\bport:?\s(?P<value>\d{1,5})\b"),
    (
        Kind.FILE,
        r"""
        (?<![\w/.])(?:/(?:etc|var|usr|opt|srv|home|tmp|data|mnt|run|proc|dev|boot)
        (?:/[\w.@+-]+)*|
        [\w-]{1,60}\.(?:conf|cfg|cnf|ini|ya?ml|toml|properties|json|env|tf|rules|xml|log|sh|py|
        service|cron|pem|crt|key|sql|csv|txt))\b
        """,
    ),
    (
        Kind.TIME_WINDOW,
        r"""
        (?:\bbetween\s|\bfrom\s)?(?P<from><CLOCK>)\s?(?:<ZONE>)?\s?
        (?:-|–|—|to|until|till|and)\s?(?P<until><CLOCK>)(?:\s?\(?(?P<zone><ZONE>))?
        """,
    ),
    (
        Kind.DATE,
        r"""
        \b20\d\d-[01]\d-[0-3]\d(?!\d)|
        \b[0-3]?\d\.?(?:st|nd|rd|th)?\s(?:of\s)?<MONTH>(?:,?\s20\d\d)?|
        \b<MONTH>\.?\s[0-3]?\d(?:st|nd|rd|th)?(?:,?\s20\d\d)?\b|\b(?:next\s)?<DAY>\b|
        \btonight\b|\btomorrow\b|\b(?:this|next)\s(?:week|weekend|month)\b
        """,
    ),
    (Kind.TIME, r"(?P<value><CLOCK>)(?:\s?<ZONE>)?"),
    (
        Kind.DURATION,
        r"""
        \b\d{1,4}(?:\.\d)?[\s-]?
        (?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?)\b|
        \bhalf an hour\b|\ban hour\b
        """,
    ),
    (
        Kind.SEVERITY,
        r"""
        \b(?:severity|sev)(?:[:=]\s?|[\s-])?(?P<value>[a-z0-9]{1,13})\b|
        \b(?P<word>critical|emergency|(?:high|moderate|medium|low)(?=\s(?:severity|impact|risk)))\b
        """,
    ),
    (
        Kind.PRIORITY,
        r"""
        \bpriority(?:[:=]\s?|\s)(?P<value>[a-z0-9]{1,13})\b|
        \b(?P<word>p[0-5]|urgent|asap|low priority|high priority|no hurry)\b
        """,
    ),
    (
        Kind.TICKET,
        r"""
        \b(?:INC|CHG|REQ|RITM|TASK|PRB)[-0]?\d{3,10}\b|\b[A-Z]{2,8}-\d{1,6}\b|
        (?<!\w)#\d{2,7}\b
        """,
    ),
    (
        Kind.USER,
        r"""
        (?<!\w)@(?P<handle><NAME>)\b|\b(?:user|account|uid)(?:[:=]\s?|\s)(?P<value><NAME>)\b
        """,
    ),
    (
        Kind.HOST,
        r"""
        \b(?:hosts?|instance|server|node|machine|hostname)(?:[:=]\s?|\s)(?P<value><NAME>(?<=\d))\b|
        \b(?P<plain>[a-z][a-z]+(?:-[a-z]+){0,3}-?\d{1,4})(?![\w.%:/-])|
        \b(?P<domain>[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}\.
        (?:com|net|org|io|local|internal|lan|example|dev|cloud))\b
        """,
    ),
    (
        Kind.SERVICE,
        r"""
        \b(?:service|job|deployment|app|application|daemon|unit)[:=]\s?(?P<value><NAME>)\b|
        \b(?P<before>[a-z][a-z0-9-]{2,40})\s(?:service|daemon|cluster|deployment)\b|
        \b(?P<known>nginx|apache|httpd|haproxy|envoy|traefik|varnish|squid|postgres(?:ql)?|mysql|
        mariadb|mongodb|redis|memcached|elasticsearch|opensearch|kafka|rabbitmq|nats|zookeeper|
        etcd|consul|vault|kubelet|coredns|dockerd?|containerd|prometheus|grafana|alertmanager|
        jenkins|gitlab|keycloak|postfix|dovecot|unbound|chrony|ntpd|sshd|systemd|openssl|openssh|
        openvpn|wireguard|tomcat|php-fpm|gunicorn|celery|airflow|spark|cassandra|clickhouse|minio|
        ceph|samba)\b
        """,
    ),
    (
        Kind.SETTING,
        r"""
        \b[A-Za-z][\w.-]{1,60}\s?=\s?[^\s,;()]{0,80}[^\s,;.()]|\b[a-z]+(?:_[a-z0-9]+)+\b
        """,
    ),
    (
        Kind.VERSION,
        r"""
        \b(?:v|version\s)?(?P<value>\d{1,4}\.\d{1,4}(?:\.\d{1,5}){0,2}(?:-[0-9a-z.]{1,20})?)\b
        """,
    ),
)
_CASED: Final = frozenset({Kind.TICKET, Kind.SETTING})
_COMPILED: Final = tuple(
    (kind, compiled(pattern, _WORDS, kind in _CASED)) for kind, pattern in _PATTERNS
)
_NOT_NAMES: Final = """
the this that our your their its his her any all some each every other another new old same is was
are be been has had will would can could not in on at of for to from by with and or a an as down up
it which web main affected following whole single online
"""
_NO_NAMES: Final = frozenset(_NOT_NAMES.split())
_SEVERITIES: Final = {
    "critical": "critical", "emergency": "critical",
    "1": "critical", "0": "critical", "high": "high", "major": "high", "important": "high",
    "error": "high", "2": "high", "medium": "medium", "moderate": "medium", "warning": "medium",
    "average": "medium", "3": "medium", "low": "low", "minor": "low", "info": "low", "4": "low",
    "information": "low", "informational": "low", "5": "low",
}  # fmt: skip
_PRIORITIES: Final = {
    "p0": "urgent", "p1": "urgent", "urgent": "urgent", "asap": "urgent", "critical": "urgent",
    "highest": "urgent", "p2": "high", "high": "high", "high priority": "high", "p3": "normal",
    "medium": "normal", "normal": "normal", "p4": "low", "p5": "low", "low": "low",
    "low priority": "low", "minor": "low", "lowest": "low", "no hurry": "low",
}  # fmt: skip


def entities(text: str) -> list[Entity]:
    """What is named in a text, in its order, at most `MOST_ENTITIES`."""
    text = text[:MOST_CHARACTERS]
    found = [
        (one.start, -len(one.text), order, one)
        for order, (kind, pattern) in enumerate(_COMPILED)
        for one in _of(kind, pattern, text)
    ]
    kept: list[Entity] = []
    end = 0
    for start, length, _, one in sorted(found, key=lambda item: item[:3]):
        if start >= end and len(kept) < MOST_ENTITIES:
            kept.append(one)
            end = start - length
    return kept


def values(found: list[Entity], kind: Kind) -> tuple[str, ...]:
    """The values of one kind, each once, in the order of the text."""
    return tuple(dict.fromkeys(one.value for one in found if one.kind is kind))


def _of(kind: Kind, pattern: re.Pattern[str], text: str) -> Iterator[Entity]:
    for match in pattern.finditer(text):
        value = _VALUES.get(kind, _as_it_stands)(match)
        if value:
            yield Entity(kind, value, match.group(), match.start())


def _named(match: re.Match[str]) -> str:
    """What a group of the pattern holds, or else all of it."""
    groups = [value for value in match.groupdict().values() if value]
    return groups[0] if groups else match.group()


def _as_it_stands(match: re.Match[str]) -> str:
    return " ".join(_named(match).split())


def _upper(match: re.Match[str]) -> str:
    return match.group().upper()


def _name(match: re.Match[str]) -> str:
    value = _named(match).lower().rstrip(".-_")
    return "" if value in _NO_NAMES else value


def _severity(match: re.Match[str]) -> str:
    return _SEVERITIES.get(_named(match).lower(), "")


def _priority(match: re.Match[str]) -> str:
    return _PRIORITIES.get(" ".join(_named(match).lower().split()), "")


def _time(text: str) -> str:
    """A time of day as `HH:MM`, in 24 hours."""
    digits = [int(one) for one in re.findall(r"\d+", text)]
    hours, minutes = digits[0], digits[1] if len(digits) > 1 else 0
    if re.search(r"p\.?m", text, re.IGNORECASE) and hours < 12:
        hours += 12
    if re.search(r"a\.?m", text, re.IGNORECASE) and hours == 12:
        hours = 0
    return f"{hours:02}:{minutes:02}"


def _window(match: re.Match[str]) -> str:
    zone = match.group("zone")
    times = f"{_time(match.group('from'))}-{_time(match.group('until'))}"
    return f"{times} {zone.upper()}" if zone else times


_VALUES: Final[dict[Kind, Callable[[re.Match[str]], str]]] = {
    Kind.CVE: _upper,
    Kind.TIME_WINDOW: _window,
    Kind.TIME: lambda match: _time(match.group("value")),
    Kind.SEVERITY: _severity,
    Kind.PRIORITY: _priority,
    Kind.USER: _name,
    Kind.HOST: _name,
    Kind.SERVICE: _name,
}
