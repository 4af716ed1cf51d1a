"""Rules about suppressions themselves: each must be about something that is there."""

from __future__ import annotations

from typing import Final

from shared.validation.finding import PatchOperation
from shared.validation.rule import Example, Found, Rule
from shared.workflow.validation_policy import Suppression

UNUSED_SUPPRESSION: Final = Rule(
    code="unused-suppression",
    level="basic",
    severity="info",
    summary="A suppression suppresses nothing.",
    why="It was about something that is gone, or never was there. Left in place it would hide the "
    "next finding of its kind from everybody.",
    bad=Example("""\
id: clean
name: Nothing to suppress
steps:
  - id: look
    command: noop
policies:
  validation:
    suppress:
      - {code: unknown-dependency, reason: the group is added later}
"""),
    good=Example("""\
id: clean
name: Nothing to suppress
steps:
  - id: look
    command: noop
"""),
)

UNKNOWN_SUPPRESSION: Final = Rule(
    code="unknown-suppression",
    level="basic",
    severity="warning",
    summary="A suppression names a rule that does not exist.",
    why="It suppresses nothing, and whoever wrote it believes that it does.",
    bad=Example("""\
id: typo
name: A misspelt rule
steps:
  - id: look
    command: noop
policies:
  validation:
    suppress:
      - {code: unknown-dependancy, reason: the group is added later}
"""),
    good=Example("""\
id: typo
name: No suppression
steps:
  - id: look
    command: noop
"""),
)

RULES: Final = (UNUSED_SUPPRESSION, UNKNOWN_SUPPRESSION)


def unused(path: str, suppression: Suppression) -> Found:
    """What is said about a suppression that matches nothing."""
    where = f" at {suppression.at}" if suppression.at else ""
    return Found(
        path,
        f"there is no finding `{suppression.code}`{where} to suppress",
        fix="remove it",
        patch=(PatchOperation(op="remove", path=f"/{path}"),),
    )


def unknown(path: str, suppression: Suppression) -> Found:
    """What is said about a suppression of a rule that is not known."""
    return Found(
        f"{path}/code",
        f"there is no rule `{suppression.code}`",
        fix="docs/rules lists the rules; correct its name, or remove the suppression",
        patch=(PatchOperation(op="remove", path=f"/{path}"),),
    )
