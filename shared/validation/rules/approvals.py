"""Rules about approvals: those who are named can give them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.approval_rule import Approval
from shared.workflow.definition import Step


def gates(subject: Subject) -> Iterator[tuple[str, Approval]]:
    """Every rule about who must approve, with its path."""
    template = subject.template
    if template is None:
        return
    policies = template.policies
    for path, rule in (
        ("policies/approval", policies.approval),
        ("policies/rollback/approval", policies.rollback.approval),
    ):
        if rule is not None:
            yield path, rule
    for index, one in enumerate(policies.validation.gate):
        if one.approval is not None:
            yield f"policies/validation/gate/{index}/approval", one.approval
    for path, step in subject.steps:
        yield from _gates_of_step(path, step)


def _gates_of_step(path: str, step: Step) -> Iterator[tuple[str, Approval]]:
    if step.approval is not None:
        yield f"{path}/approval", step.approval
    for index, option in enumerate(step.wait_for.options if step.wait_for else ()):
        if option.approval is not None:
            yield f"{path}/wait_for/options/{index}/approval", option.approval
    for field in ("approve_after_canary", "approve_between"):
        between: Approval | None = getattr(step.target, field)
        if between is not None:
            yield f"{path}/target/{field}", between


def _unreachable(subject: Subject) -> Iterator[Found]:
    for path, rule in gates(subject):
        named = rule.approvers
        if named.roles or named.groups or not named.users:
            continue
        known = set(named.users)
        if len(known) < rule.quorum:
            yield Found(f"{path}/approvers/users", f"{rule.quorum} people must approve, and only "
                        f"{len(known)} are named", "name more people, or lower the quorum"
                        )  # fmt: skip


def _no_spare(subject: Subject) -> Iterator[Found]:
    for path, rule in gates(subject):
        named = rule.approvers
        alone = not (named.roles or named.groups) and len(set(named.users)) == rule.quorum
        if named.users and alone and not rule.allow_self_approval:
            yield Found(
                f"{path}/approvers/users",
                f"all {rule.quorum} of the people named must approve, and nobody may approve a run "
                "of their own: none of them can ever start it",
                "name one more, or a group",
            )


_HEAD: Final = "id: fail_over\nname: Fail over\nsteps:\n"
_SOUND: Final = Example(f"""\
{_HEAD}\
  - id: switch
    command: noop
    approval:
      quorum: 2
      approvers: {{users: [alice, bob, carol]}}
""")

RULES: Final = (
    Rule(
        code="quorum-unreachable",
        level="strict",
        severity="error",
        summary="More people must approve than are named.",
        why="The gate can never open: every run would wait there until it expires.",
        check=_unreachable,
        bad=Example(f"""\
{_HEAD}\
  - id: switch
    command: noop
    approval:
      quorum: 2
      approvers: {{users: [alice, alice]}}
"""),
        good=_SOUND,
    ),
    Rule(
        code="quorum-without-spare",
        level="strict",
        severity="warning",
        summary="Everybody who is named must approve.",
        why="Nobody approves a run of their own, so as soon as one of them starts it the gate "
        "cannot open; nor when one is away.",
        check=_no_spare,
        bad=Example(f"""\
{_HEAD}\
  - id: switch
    command: noop
    approval:
      quorum: 2
      approvers: {{users: [alice, bob]}}
"""),
        good=_SOUND,
    ),
)
