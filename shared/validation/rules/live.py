"""Rules about the live system (`strict`): who would run it, who would approve it, what it meets.

They are checked by the validator service, which asks the agents; here they are documented, set and
suppressed like any other rule.
"""

from __future__ import annotations

from typing import Final

from shared.validation.rule import Rule

NO_AGENT: Final = Rule(
    code="no-agent",
    level="strict",
    severity="error",
    summary="No live agent can run a step.",
    why="The step would wait for its start timeout, and then fail. An agent fits that is alive, is "
    "not leaving, and has the step's capabilities, labels and name.",
    tags=("agents",),
)
BUSY_AGENTS: Final = Rule(
    code="busy-agents",
    level="strict",
    severity="warning",
    summary="Every agent that can run a step is full.",
    why="The step has to wait for a free slot. If that takes longer than its start timeout, nobody "
    "takes it, and it fails.",
    tags=("agents",),
)
EMPTY_FLEET: Final = Rule(
    code="empty-fleet",
    level="strict",
    severity="error",
    summary="The selector of a fleet matches no live agent.",
    why="A fleet is resolved when its step begins. With no target it fails, unless the step says "
    "`allow_empty`; then it completes, and has changed nothing.",
    tags=("agents",),
)
POLICY_REFUSES: Final = Rule(
    code="policy-refuses",
    level="strict",
    severity="error",
    summary="The policy of an agent refuses a step.",
    why="An agent runs what its owner allows, whatever a template says. An error where every agent "
    "that could run the step refuses it, a warning where only some do.",
    tags=("agents",),
)
SECRET_MISSING: Final = Rule(
    code="secret-missing",
    level="strict",
    severity="error",
    summary="An agent does not have, or does not give, a secret that a step needs.",
    why="A secret is looked up on the agent that runs the step. Without it the step fails before "
    "anything is run, possibly after the steps before it have changed something. Agents are asked "
    "for names only.",
    tags=("secrets",),
)
TOO_FEW_APPROVERS: Final = Rule(
    code="too-few-approvers",
    level="strict",
    severity="error",
    summary="Fewer people than needed may answer an approval.",
    why="The run would wait until the gate expires, or for ever. Who asked for the run and who "
    "wrote the template do not count, unless the gate allows self-approval.",
    tags=("approvals",),
)
KEY_SHARED: Final = Rule(
    code="shared-concurrency-key",
    level="strict",
    severity="warning",
    summary="Another template uses the same concurrency key in another way.",
    why="Whoever asks first sets the limit for the others: with different limits, or with another "
    "answer to a conflict, what happens depends on which run came first.",
    tags=("concurrency",),
)
SCHEDULES_OVERLAP: Final = Rule(
    code="overlapping-schedules",
    level="strict",
    severity="warning",
    summary="Schedules start the template again while it may still run.",
    why="Two runs of the same workflow at once change the same things. A concurrency key keeps "
    "them apart.",
    tags=("concurrency",),
)
NOT_LOOKED_AT: Final = Rule(
    code="not-looked-at",
    level="strict",
    severity="warning",
    summary="Something that belongs to the level could not be looked at.",
    why="An agent did not answer, or a part of the system is away. What was not looked at may be "
    "wrong: the report is weaker than its level promises.",
    tags=("agents",),
)

RULES: Final[tuple[Rule, ...]] = (
    NO_AGENT,
    BUSY_AGENTS,
    EMPTY_FLEET,
    POLICY_REFUSES,
    SECRET_MISSING,
    TOO_FEW_APPROVERS,
    KEY_SHARED,
    SCHEDULES_OVERLAP,
    NOT_LOOKED_AT,
)
