"""Corpora with planted workflows: recorded commands of which it is known what is in them.

Users go about their work: background commands, each likelier after some than after others, and now
and then a run of a workflow, with values of their own. Noise disturbs the runs: steps are left
out, neighbours change places, other commands come between, two runs are done at the same time. All
randomness comes from the seed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.learning.records import RecordedCommand

START_MS: Final = 1_767_600_000_000
"""Monday, 5 January 2026, 8:00 UTC."""
_PLACE: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Planted:
    """A workflow: its lines with places for values, and which neighbours may change places without
    it being noise."""

    name: str
    lines: tuple[str, ...]
    free: tuple[tuple[int, int], ...] = ()
    seconds: tuple[float, ...] = ()
    """How long each line takes; one second where it is not said."""


WORKFLOWS: Final = (
    Planted(
        "restore_config",
        ("systemctl stop {service}", "cp /var/backups/{service}.conf /etc/{service}/{service}.conf",
         "systemctl start {service}", "systemctl status {service}"),
        seconds=(2, 1, 3, 1),
    ),
    Planted(
        "ship_image",
        ("git pull", "docker build -t registry.local/{app}:{version} .",
         "docker push registry.local/{app}:{version}",
         "kubectl set image deployment/{app} {app}=registry.local/{app}:{version}",
         "kubectl rollout status deployment/{app}"),
        seconds=(3, 90, 30, 1, 40),
    ),
    Planted(
        "patch_node",
        ("kubectl cordon {node}", "kubectl drain {node} --ignore-daemonsets",
         "ssh {node} sudo apt-get upgrade -y", "kubectl uncordon {node}"),
        seconds=(1, 60, 200, 1),
    ),
    Planted(
        "back_up_database",
        ("pg_dump -f /backup/{database}.sql {database}", "gzip /backup/{database}.sql",
         "aws s3 cp /backup/{database}.sql.gz s3://backups/{database}.sql.gz"),
        seconds=(100, 20, 15),
    ),
    Planted(
        "new_account",
        ("useradd -m {account}", "usermod -aG {group} {account}", "chage -d 0 {account}",
         "mkdir /srv/home/{account}", "chown {account} /srv/home/{account}"),
        free=((1, 2),),
    ),
    Planted(
        "renew_certificate",
        ("openssl req -new -key /etc/ssl/{domain}.key -out /tmp/{domain}.csr",
         "scp /tmp/{domain}.csr ca@ca.local:/in/{domain}.csr",
         "scp ca@ca.local:/out/{domain}.crt /etc/ssl/{domain}.crt", "nginx -t",
         "systemctl reload nginx"),
    ),
    Planted(
        "release_package",
        ("pytest -q", "python -m build", "twine upload dist/*", "git tag {version}",
         "git push --tags"),
        seconds=(60, 20, 8, 1, 3),
    ),
    Planted(
        "clean_disk",
        ("df -h {mount}", "journalctl --vacuum-size=500M", "docker system prune -f",
         "apt-get clean"),
        free=((1, 2), (2, 3)),
    ),
)  # fmt: skip

POOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("nginx", "haproxy", "redis", "postgresql", "grafana", "rabbitmq", "varnish"),
    "app": ("shop", "billing", "search", "mailer", "portal", "reports"),
    "version": tuple(f"{a}.{b}.{c}" for a in (1, 2, 3) for b in (0, 4, 7) for c in (0, 1, 9)),
    "node": tuple(f"node{n}" for n in range(1, 15)),
    "database": ("orders", "customers", "ledger", "events", "stock"),
    "account": ("mmeier", "jdoe", "akhan", "lrossi", "ptran", "sboko", "vnovak", "cwong"),
    "group": ("docker", "developers", "adm"),
    "domain": ("shop.example.org", "api.example.org", "mail.example.org", "wiki.example.org"),
    "mount": ("/var", "/srv", "/home", "/data"),
    "file": ("notes.txt", "main.py", "README.md", "app.py", "values.yaml", "todo.md", "run.sh"),
    "folder": ("src", "docs", "tests", "deploy", "logs", "scripts"),
    "word": ("error", "timeout", "TODO", "import", "listen", "retry", "password", "class"),
    "host": ("web1", "web2", "db1", "cache1", "proxy1"),
    "number": tuple(str(n) for n in range(5, 200, 7)),
}
"""The values that places of lines are filled with, by their names."""
_BACKGROUND: Final = (
    "ls", "ls -la", "cd {folder}", "cat {file}", "vim {file}", "grep -rn {word} {folder}",
    "git status", "git diff", "git log --oneline", "git add {file}",
    "git commit -m '{word} {file}'",
    "docker ps", "docker logs {app}", "kubectl get pods", "kubectl logs {app}", "df -h", "free -m",
    "systemctl status {service}", "journalctl -u {service}", "ping {host}", "ssh {host}",
    "tail -n {number} /var/log/syslog", "ps aux | grep {service}", "python {file}", "make {word}",
    "curl http://{host}:8080/health", "head -n {number} {file}", "find {folder} -name {file}",
    "rm {file}", "mkdir {folder}", "cp {file} {folder}", "mv {file} {folder}", "chmod +x {file}",
    "pip install {app}", "apt-get update", "uptime", "dig {domain}", "touch {file}",
    "kubectl describe node {node}", "wc -l {file}", "du -sh {folder}", "pytest {file}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noise:
    """How runs are disturbed. Shares of steps, pairs and runs; `between` is how many other
    commands come between two steps, on average."""

    dropped: float = 0.0
    swapped: float = 0.0
    between: float = 0.0
    together: float = 0.0
    failing: float = 0.0

    @classmethod
    def level(cls, level: float) -> Noise:
        """Noise of all kinds at once; at 0.3 a run of five steps is hardly ever whole."""
        return cls(level, level / 2, level * 3, level / 2, level / 3)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was recorded, and what was planted in it."""

    commands: tuple[RecordedCommand, ...]
    planted: tuple[Planted, ...]


def corpus(
    seed: int,
    noise: Noise,
    *,
    users: int = 8,
    sessions: int = 40,
    planted: Sequence[Planted] = WORKFLOWS,
    share: float = 0.6,
) -> Corpus:
    """Commands of so many users with so many sessions each; `share` of these have a run of a
    workflow (none where nothing is planted)."""
    writer = _Writer(np.random.default_rng(seed), noise)
    for session in range(sessions):
        for user in range(users):
            writer.session(f"user{user}", session, planted, share)
    return Corpus(tuple(writer.commands), tuple(planted))


class _Writer:
    """Writes sessions one after another."""

    def __init__(self, rng: np.random.Generator, noise: Noise) -> None:
        self.commands: list[RecordedCommand] = []
        self._rng = rng
        self._noise = noise
        many = len(_BACKGROUND)
        # Each background command is followed by a few much more often than by the rest.
        self._follows = np.full((many, many), 0.4 / many)
        for row in self._follows:
            row[rng.choice(many, 3, replace=False)] += 0.2
        self._at = 0

    def session(self, user: str, number: int, planted: Sequence[Planted], share: float) -> None:
        """One stretch of work on one day."""
        rng = self._rng
        name = f"{user}-{number}"
        at_ms = START_MS + number * 86_400_000 + int(rng.integers(0, 3_600_000))
        lines = self._background(int(rng.integers(2, 9)))
        if planted and rng.random() < share:
            lines += self._runs(planted)
            lines += self._background(int(rng.integers(1, 7)))
        for line, seconds, code in lines:
            at_ms += int(1_000 * (3 + rng.exponential(8)))
            took = int(1_000 * seconds * rng.lognormal(0, 0.3))
            self.commands.append(
                RecordedCommand(  # noqa: S604 - `shell` is a field of the record
                    id=f"{name}-{len(self.commands)}",
                    at_ms=at_ms,
                    user=user,
                    command=line,
                    session=name,
                    cwd="/srv/work",
                    host="ops1",
                    shell="bash",
                    exit=code,
                    duration_ms=took,
                )
            )
            at_ms += took

    def _background(self, many: int) -> list[tuple[str, float, int]]:
        lines = []
        for _ in range(many):
            row = self._follows[self._at]
            self._at = int(self._rng.choice(len(row), p=row / row.sum()))
            lines.append((self._filled(_BACKGROUND[self._at], {}), 0.3, 0))
        return lines

    def _filled(self, line: str, values: dict[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            pool = POOLS[match[1]]
            return values.setdefault(match[1], pool[int(self._rng.integers(len(pool)))])

        return _PLACE.sub(value, line)

    def _runs(self, planted: Sequence[Planted]) -> list[tuple[str, float, int]]:
        first = self._run(planted[int(self._rng.integers(len(planted)))])
        if self._rng.random() >= self._noise.together:
            return first
        second = self._run(planted[int(self._rng.integers(len(planted)))])
        return list(self._mixed(first, second))

    def _mixed(
        self, one: list[tuple[str, float, int]], other: list[tuple[str, float, int]]
    ) -> Iterator[tuple[str, float, int]]:
        while one or other:
            source = one if one and (not other or self._rng.random() < 0.5) else other
            yield source.pop(0)

    def _run(self, planted: Planted) -> list[tuple[str, float, int]]:
        order = list(range(len(planted.lines)))
        for early, late in planted.free:
            if self._rng.random() < 0.5:
                order[early], order[late] = order[late], order[early]
        for at in range(len(order) - 1):
            if self._rng.random() < self._noise.swapped:
                order[at], order[at + 1] = order[at + 1], order[at]
        values: dict[str, str] = {}
        lines: list[tuple[str, float, int]] = []
        for step in order:
            if self._rng.random() < self._noise.dropped:
                continue
            if lines:
                lines += self._background(int(self._rng.poisson(self._noise.between)))
            line = self._filled(planted.lines[step], values)
            seconds = planted.seconds[step] if planted.seconds else 1.0
            if self._rng.random() < self._noise.failing:
                lines.append((line, seconds, 1))
            lines.append((line, seconds, 0))
        return lines
