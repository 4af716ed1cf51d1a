"""Small traces that tests make themselves."""

import random
from collections.abc import Iterator

from shared.learning.history import Recorded, Situation

ROUTINE = ("cd /srv/app", "git pull", "make test", "make deploy", "tail -n 20 app.log")


def run(command: str, user: str = "ann", session: str = "s1", code: int | None = None) -> Recorded:
    """A command as it was recorded."""
    return Recorded(Situation(user, session, "/srv", "h", "", "sh"), command, code)


def routine(user: str, times: int, commands: tuple[str, ...] = ROUTINE) -> Iterator[Recorded]:
    """The same commands again and again."""
    for _ in range(times):
        for command in commands:
            yield run(command, user)


def mixed(seed: int, count: int, users: int = 3) -> list[Recorded]:
    """Commands of several users, partly regular."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        user = f"user{draw.randrange(users)}"
        host = f"10.0.0.{draw.randrange(4)}"
        command = draw.choice(
            [
                "ls",
                "ls -l",
                f"ssh root@{host}",
                f"ping {host}",
                "git status",
                f"vim f{number % 7}.py",
            ]
        )
        made.append(run(command, user, f"s{number // 20}", draw.choice([None, 0, 1, 127])))
    return made
