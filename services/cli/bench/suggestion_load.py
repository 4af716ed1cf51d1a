"""What the benchmark of suggestions is made of: commands, templates and questions, made up, and the
same in every round.

People work in sessions: each session follows routines (pull, test, commit; look at a host), with
names of their own (projects, branches, hosts), typing errors and detours in between. Few people and
few routines make most of it, as everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from shared.learning.records import RecordedCommand

USERS: Final = 400
HOSTS: Final = 60
PROJECTS: Final = 80
SESSION: Final = 25
"""Commands of a session, on average."""

_ROUTINES: Final = (
    ("git pull", "make test", "git status", "git commit -am {word}", "git push origin {branch}"),
    ("cd {project}", "ls", "git checkout {branch}", "git pull", "make build"),
    ("ssh {host}", "df -h", "du -sh /var/log", "journalctl -u {service} -n 50", "exit"),
    (
        "kubectl get pods",
        "kubectl logs {service}-{number}",
        "kubectl delete pod {service}-{number}",
    ),
    ("docker build -t {project}:{number} .", "docker push {project}:{number}"),
    ("systemctl status {service}", "systemctl restart {service}", "systemctl status {service}"),
    ("vim {project}/main.py", "python {project}/main.py", "pytest -q {project}", "git diff"),
    ("terraform plan", "terraform apply", "terraform output"),
    ("cat /etc/{service}.conf", "vim /etc/{service}.conf", "systemctl reload {service}"),
    ("psql -h {host}", "pg_dump -h {host} {project}", "gzip {project}.sql"),
)
_DETOURS: Final = ("ls", "ls -la", "pwd", "clear", "htop", "history", "top", "cd ..", "whoami")
_SERVICES: Final = ("nginx", "redis", "postgres", "checkout", "search", "mail", "gateway", "queue")
_WORDS: Final = ("fix", "wip", "docs", "tests", "refactor", "release", "bump")
_VERBS: Final = (
    "restart", "drain", "rotate", "renew", "resize", "patch", "upgrade", "scale", "archive",
    "compact", "rebuild", "verify", "inspect", "clean", "migrate",
)  # fmt: skip
_THINGS: Final = (
    "web servers", "database replicas", "cache nodes", "message brokers", "TLS certificates",
    "API keys", "log disks", "search indexes", "backup sets", "load balancers", "build agents",
    "DNS zones", "firewall rules", "mail relays", "VPN gateways", "object stores", "batch workers",
    "feature flags", "container images", "kernel modules", "time servers", "user directories",
    "payment adapters", "edge proxies", "data lakes", "print queues", "license servers",
    "sensor hubs", "video encoders", "billing jobs", "chat bots", "schema registries",
    "report servers", "image caches",
)  # fmt: skip
_SAID: Final = (
    "please {verb} the {thing} today",
    "we need to {verb} {thing} in region {region}",
    "{thing} have trouble, somebody must {verb} them",
    "ticket: {verb} {thing} after the alert",
)
_ASKED: Final = (
    "could someone {verb} our {thing} tonight",
    "request for change: {verb} {thing} at the branch office {number}",
    "the {thing} should be looked at, {verb} them please",
    "CRITICAL: {service} is down on {host}, error rate {number} %, customers affected",
    "Has anybody seen my umbrella in room {number}?",
)


def commands(count: int, seed: int = 1) -> Iterator[RecordedCommand]:
    """So many commands of `USERS` people, session by session."""
    draw = random.Random(seed)  # noqa: S311 - the same in every round
    made = session = 0
    while made < count:
        session += 1
        user = min(int(draw.expovariate(4 / USERS)), USERS - 1)
        for line, ended in _session(draw, user):
            if made == count:
                return
            made += 1
            yield RecordedCommand(
                id=f"bench-{made}",
                at_ms=made * 1_000,
                user=f"user{user:03}",
                command=line,
                session=f"s{session}",
                cwd=f"/home/user{user:03}/project{user % PROJECTS}",
                host=f"laptop{user:03}",
                exit=ended,
                source="shell",
            )


def _session(draw: random.Random, user: int) -> Iterator[tuple[str, int]]:
    own = random.Random(user)  # noqa: S311 - what this person does
    routines = own.sample(_ROUTINES, 4)
    values = values_of(own)
    for _ in range(max(1, round(draw.gauss(SESSION / 5, 2)))):
        routine = routines[min(int(draw.expovariate(1.2)), 3)]
        if draw.random() < 0.3:
            values = values_of(draw)
        for line in routine:
            if draw.random() < 0.15:
                yield draw.choice(_DETOURS), 0
            if draw.random() < 0.05:
                yield line.format(**values)[1:] or "x", 127
            yield line.format(**values), 0 if draw.random() < 0.93 else 1


def values_of(draw: random.Random) -> dict[str, Any]:
    """Names that lines and texts are filled with."""
    return {
        "host": f"web-{draw.randrange(HOSTS)}",
        "project": f"project{draw.randrange(PROJECTS)}",
        "branch": f"feature-{draw.randrange(200)}",
        "service": draw.choice(_SERVICES),
        "number": draw.randrange(1_000),
        "word": draw.choice(_WORDS),
        "verb": draw.choice(_VERBS),
        "thing": draw.choice(_THINGS),
        "region": draw.choice(("eu", "us", "asia")),
    }


def templates(count: int) -> Iterator[dict[str, Any]]:
    """So many definitions, with four situations and three steps each."""
    pairs = [(verb, thing) for thing in _THINGS for verb in _VERBS]
    random.Random(2).shuffle(pairs)  # noqa: S311 - the same in every round
    for verb, thing in pairs[:count]:
        slug = f"{verb}_{thing.lower().replace(' ', '_')}"
        tool = thing.split()[-1].lower()
        yield {
            "id": f"bench_{slug}",
            "name": f"{verb.title()} {thing}",
            "description": f"{verb.title()} {thing}, host by host, with checks before and after.",
            "tags": [verb],
            "situations": [one.format(verb=verb, thing=thing, region="eu") for one in _SAID],
            "parameters": {"host": {"type": "string"}, "window": {"type": "string", "default": ""}},
            "steps": [
                _step("look", [f"{tool}ctl", "status", "${{ params.host }}"]),
                _step("act", [f"{tool}ctl", verb, "${{ params.host }}"], "look"),
                _step("check", [f"{tool}ctl", "check", "${{ params.host }}"], "act"),
            ],
        }


def _step(name: str, argv: list[str], after: str = "") -> dict[str, Any]:
    return {
        "id": name,
        "command": "shell",
        "parameters": {"argv": argv},
        "depends_on": [after] if after else [],
        "irreversible": "made up for a benchmark",
    }


def text(draw: random.Random) -> str:
    """What somebody writes."""
    return draw.choice(_ASKED).format(**values_of(draw))


def recent(draw: random.Random) -> list[str]:
    """The last commands of somebody in the middle of a routine."""
    values = values_of(draw)
    routine = draw.choice(_ROUTINES)
    return [line.format(**values) for line in routine[: draw.randrange(1, len(routine))]]


def started(draw: random.Random) -> list[str]:
    """The first steps of a made-up template."""
    values = values_of(draw)
    tool = str(values["thing"]).split()[-1].lower()
    lines = [f"{tool}ctl status {values['host']}", f"{tool}ctl {values['verb']} {values['host']}"]
    return lines[: draw.randrange(1, 3)]
