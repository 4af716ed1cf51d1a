"""Rules about the graph: what waits for what, and what can ever run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.subject import Subject


def _told(*codes: str) -> Check:
    """A check that passes on what building the graph found."""

    def check(subject: Subject) -> Iterator[Found]:
        return (Found(p.path, p.message, p.fix) for p in subject.with_code(*codes))

    return check


_SOUND: Final = Example("""\
id: patch_host
name: Patch a host
steps:
  - id: drain
    command: noop
  - id: patch
    command: noop
    depends_on: [drain]
""")

RULES: Final = (
    Rule(
        code="unknown-dependency",
        level="basic",
        severity="error",
        summary="A step waits for a step or group that does not exist.",
        why="It would wait for ever, or start too early; neither is what was meant.",
        check=_told("unknown_dependency"),
        bad=Example("""\
id: patch_host
name: Patch a host
steps:
  - id: drain
    command: noop
  - id: patch
    command: noop
    depends_on: [drian]
"""),
        good=_SOUND,
        binding=True,
    ),
)
