"""Mining as a whole: what is proposed, to whom, and what is not."""

from __future__ import annotations

from functools import cache

import pytest

from shared.learning.records import RecordedCommand
from shared.mining.judging import judged
from shared.mining.likeness import alike
from shared.mining.mine import mine
from shared.mining.options import MiningOptions
from shared.mining.planted import Noise, corpus
from shared.mining.proposals import Proposal
from shared.mining.proposing import Earlier, Known
from shared.templates.loader import dump_yaml, load
from shared.validation.subject import subject_of_template
from shared.validation.validate import validate
from tests.unit.mining.recorded import REGISTRY, many, session

RESTORE = [
    "systemctl stop {x}",
    "cp /var/backups/{x}.conf /etc/{x}/{x}.conf",
    "systemctl start {x}",
    "journalctl -u {x} -n 20",
]
SERVICES = ["nginx", "redis", "haproxy", "grafana"]


@cache
def _restored(users: int = 2) -> tuple[RecordedCommand, ...]:
    return tuple(many([f"user{n}" for n in range(users)], 6, RESTORE, {"x": SERVICES}))


def _mined(commands: tuple[RecordedCommand, ...], known: Known | None = None) -> list[Proposal]:
    return list(mine(commands, REGISTRY, known=known).proposals)


def test_what_two_users_do_is_proposed_to_all() -> None:
    """A sequence that two users run again and again becomes one proposal, with its value as one
    parameter, in order, with what was learned to undo a step, behind approvals."""
    (found,) = _mined(_restored())
    assert found.owner == ""
    assert found.steps == (
        "systemctl stop <service>",
        "cp /var/backups/<service>.conf /etc/<service>/<service>.conf",
        "systemctl start <service>",
        "journalctl -u <service> -n 20",
    )
    template = found.template
    assert list(template.parameters) == ["service"]
    assert template.steps[0].parameters == {"argv": ["systemctl", "stop", "${{ params.service }}"]}
    assert template.steps[2].depends_on == (template.steps[1].id,)
    assert template.policies.approval_required
    undo = template.steps[0].rollback
    assert undo is not None
    assert undo.parameters == {"argv": ["systemctl", "start", "${{ params.service }}"]}
    assert template.policies.rollback.approval is not None
    assert (found.support.users, found.support.sessions) == (2, 12)


def test_a_proposal_is_a_sound_template() -> None:
    """Every proposal passes standard validation, and reads back from its file as the same."""
    for seed in range(2):
        for found in _mined(corpus(seed, Noise.level(0.1)).commands):
            report = validate(subject_of_template(found.template, REGISTRY), "standard")
            assert report.passed, report.findings
            assert load(dump_yaml(found.template)) == found.template


def test_the_same_commands_give_the_same_proposals() -> None:
    """Mining twice gives equal proposals."""
    commands = corpus(3, Noise.level(0.2)).commands
    assert mine(commands, REGISTRY) == mine(commands, REGISTRY)


@pytest.mark.parametrize(
    ("level", "precision", "recall"), [(0.0, 0.8, 0.9), (0.2, 0.6, 0.8), (0.3, 0.7, 0.9)]
)
def test_planted_workflows_are_found(level: float, precision: float, recall: float) -> None:
    """Of planted workflows nearly all are found in noise, and little else."""
    made = corpus(11, Noise.level(level))
    found = judged(_mined(made.commands), made.planted)
    assert found.precision >= precision
    assert found.recall >= recall
    assert found.steps >= 0.9


def test_where_nothing_is_planted_nothing_is_found() -> None:
    """Background work alone, in which some commands do follow others more often, is no workflow."""
    assert _mined(corpus(2, Noise(), planted=()).commands) == []


def test_what_one_user_does_is_for_that_user_alone() -> None:
    """A sequence of one user is proposed to that user, and to nobody else."""
    found = _mined(_restored(1))
    assert [one.owner for one in found] == ["user0"]


def test_no_text_of_one_user_is_in_a_proposal_for_all() -> None:
    """Values, words and directories that only one user used are nowhere in what others see."""
    commands = []
    for number in range(8):
        user = f"user{number % 2}"
        mine_ = f"private{user}"
        lines = [
            f"tar -czf /tmp/{mine_}{number}.tgz /srv/{mine_}",
            f"scp /tmp/{mine_}{number}.tgz backup1:/in/{mine_}",
            f"rm /tmp/{mine_}{number}.tgz",
        ]
        commands += session(user, str(number), lines, cwd=f"/home/{mine_}", at_s=number * 9_000)
    found = _mined(tuple(commands))
    assert any(one.owner == "" for one in found)
    for one in found:
        if not one.owner:
            assert "private" not in one.model_dump_json()


def test_steps_whose_order_varies_are_parallel() -> None:
    """Two looks that came in either order do not wait for each other."""
    commands = []
    for number in range(16):
        middle = ["df -h /srv", "free -m"]
        lines = ["make build", *(middle if number % 2 else middle[::-1]), "make deploy"]
        commands += session(f"user{number % 4}", str(number), lines, at_s=number * 9_000)
    (found,) = _mined(tuple(commands))
    waits = {step.id: set(step.depends_on) for step in found.template.steps}
    assert waits["df"] == {"make_build"}
    assert waits["free"] == {"make_build"}
    assert waits["make_deploy"] == {"df", "free"}


def test_timeouts_and_retries_come_from_what_was_seen() -> None:
    """A step gets a timeout well above how long it took, and a retry where it often failed."""
    commands = []
    for number in range(8):
        lines: list[str | tuple[str, int]] = [
            "terraform plan",
            ("terraform apply -auto-approve", 1),
            "terraform apply -auto-approve",
            "curl http://web1/health",
        ]
        commands += session(
            f"user{number % 2}", str(number), lines, took_s=150, every_s=200, at_s=number * 9_000
        )
    (found,) = _mined(tuple(commands))
    plan, apply, _ = found.template.steps
    assert plan.timeout_s == 600
    assert apply.retry.max_attempts == 2
    assert plan.retry.max_attempts == 1


def test_a_template_that_exists_is_not_proposed() -> None:
    """What a stored template does already is not proposed again."""
    (found,) = _mined(_restored())
    assert _mined(_restored(), Known(templates=(found.template,))) == []


def test_the_same_pattern_keeps_its_id() -> None:
    """With more runs of it a proposal is the same one, with more support."""
    (first,) = _mined(_restored())
    earlier = Earlier(first.id, "", first.signature)
    (again,) = _mined(_restored(4), Known(earlier=(earlier,)))
    assert again.id == first.id
    assert again.support.runs > first.support.runs


def test_a_rejection_is_learned() -> None:
    """What was rejected does not come back, nor does what is like it, in whatever order."""
    (found,) = _mined(_restored())
    rejected = Known(rejected=(Earlier(found.id, "", found.signature),))
    assert _mined(_restored(), rejected) == []
    assert _mined(_restored(5), rejected) == []
    fewer = tuple(one for one in _restored() if "journalctl" not in one.command)
    assert _mined(fewer) != []
    assert _mined(fewer, rejected) == []


def test_what_resembles_something_rejected_needs_more_support() -> None:
    """Half of a rejected workflow with something else is proposed once it is seen more often."""
    (found,) = _mined(_restored())
    known = Known(rejected=(Earlier(found.id, "", found.signature),))
    lines = [*RESTORE[:2], "make -C /srv/{x} check", "nginx-reload {x}", "notify-oncall {x}"]
    few = tuple(many(["ann", "bob"], 4, lines, {"x": SERVICES}))
    much = tuple(many(["ann", "bob"], 20, lines, {"x": SERVICES}))
    (like,) = _mined(few)
    assert 0.4 <= alike(like.signature, found.signature) < MiningOptions().alike
    assert _mined(few, known) == []
    assert _mined(much, known) != []


def test_what_workflows_ran_is_not_mined() -> None:
    """Commands that steps of executions ran are no news: there is a workflow for them."""
    commands = tuple(one.model_copy(update={"source": "step"}) for one in _restored())
    assert _mined(commands) == []


def test_only_the_newest_commands_are_looked_at() -> None:
    """Beyond the bound older commands are left out."""
    options = MiningOptions(most_commands=20)
    assert mine(_restored(), REGISTRY, options).commands == 20


def test_a_list_of_values_is_one_parameter() -> None:
    """`rm` of one file now and of several then gets its files as a list, without a shell."""
    commands = []
    for number in range(12):
        files = " ".join(f"part{n}.log" for n in range(1 + number % 3))
        lines = [f"tar -czf backup{number}.tgz logs", f"rm {files}", "systemctl reload rsyslog"]
        commands += session(f"user{number % 3}", str(number), lines, at_s=number * 9_000)
    (found,) = _mined(tuple(commands))
    argv = [step.parameters["argv"] for step in found.template.steps]
    assert argv[1] == '${{ ["rm"] + params.files }}'
    assert found.template.parameters["files"].type.value == "array"


def test_one_user_cannot_turn_a_workflow_of_others() -> None:
    """Who runs the steps of others in another order and with another value, again and again,
    neither hides the workflow, nor reverses its order, nor makes that value the default."""
    fair = many(["ann", "bob", "cyd"], 5, RESTORE, {"x": SERVICES})
    hostile = []
    for number in range(300):
        lines = [line.format(x="backdoor") for line in reversed(RESTORE)]
        hostile += session("mallory", str(number), lines, at_s=number * 9_000)
    (found,) = [one for one in _mined((*fair, *hostile)) if not one.owner]
    steps = {
        one.split()[1]: step for one, step in zip(found.steps, found.template.steps, strict=True)
    }
    assert "backdoor" not in found.model_dump_json()
    assert steps["start"].id not in steps["stop"].depends_on
    assert not found.template.parameters["service"].has_default


def test_one_user_and_a_single_run_of_another_are_not_many() -> None:
    """What somebody else ran once is not proposed to all, however often one user runs it."""
    commands = (*many(["mallory"], 200, RESTORE, {"x": SERVICES}),
                *many(["ann"], 1, RESTORE, {"x": SERVICES}))  # fmt: skip
    assert [one.owner for one in _mined(commands)] == ["mallory"]


def test_looks_between_steps_do_not_part_them() -> None:
    """However much is looked at between two steps, each time something else, they are found."""
    lines = [
        line
        for n, step in enumerate(RESTORE[:3])
        for line in (
            step,
            *(f"grep -n {{w}}{n}{i} src/{{w}}{i}.py" for i in range(3)),
            *(f"cat doc/{{w}}{n}{i}.md" for i in range(2)),
        )
    ]
    words = [f"word{n}" for n in range(12)]
    (found,) = _mined(tuple(many(["ann", "bob"], 6, lines, {"x": SERVICES, "w": words})))
    assert [step.split()[0] for step in found.steps] == ["systemctl", "cp", "systemctl"]
