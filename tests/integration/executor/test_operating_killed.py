"""What operators asked for while what holds it is killed."""

from __future__ import annotations

import pytest

from shared.adapters.mongo.templates import MongoTemplateStore
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Actor, ExecutionRequested, MarkRequested, ResumeRequested
from shared.workflow.program import compile_template
from shared.workflow.rerunning import Past, Wish, rerun_of, sort_steps
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.long]

OLGA = Actor(id="olga")


async def test_a_paused_run_and_its_re_run_outlive_their_coordinator(world: World) -> None:
    """Killed with -9 at a breakpoint, in the stop of a marked step, and in a re-run: each goes on
    where it stood, what was kept is kept, and every state is the fold of its history."""
    mind = await world.executor("mind")
    steps = [
        noop("a", 7),
        shell("long", "sleep 60", depends_on=["a"]),
        shell("b", "exit 3", depends_on=["long"]),
    ]
    await world.template("operated", steps)
    first = world.ids.execution_id()
    wanted = ExecutionRequested(
        template_id="operated", template_version="1.0.0", pause_before=("long",)
    )
    await world.journal.append(first, wanted, f"req.{first}")
    paused = await world.state_when(first, lambda s: s.pause is not None)
    assert paused.pause is not None
    await mind.kill()
    await mind.start()
    resume = ResumeRequested(by=OLGA, pause=paused.pause.number)
    await world.journal.append(first, resume, f"resume.{first}")
    await world.step_when(first, "long", "running")
    mark = MarkRequested(step="long", verdict="completed", by=OLGA, output={"n": 1})
    await world.journal.append(first, mark, f"mark.{first}")
    await world.state_when(first, lambda s: s.steps["long"].mark is not None)
    await mind.kill()
    await mind.start()
    state = await world.ended(first)
    assert state.steps["long"].status is StepStatus.COMPLETED
    assert state.steps["long"].output == {"n": 1}
    assert state.steps["b"].status is StepStatus.FAILED

    template = await MongoTemplateStore(world.mongo).get("operated", "1.0.0")
    assert template is not None
    program = compile_template(template)
    past = Past(program, state)
    sorting = sort_steps(past, program, {}, Wish(failed_only=True), ())
    assert sorting.kept == ("a", "long")
    rerun = rerun_of(past, sorting, {}, by=OLGA, reason="once more")
    again = world.ids.execution_id()
    request = wanted.model_copy(update={"pause_before": ("b",), "rerun": rerun})
    await world.journal.append(again, request, f"req.{again}")
    held = await world.state_when(again, lambda s: s.pause is not None)
    await mind.kill()
    await mind.start()
    assert held.pause is not None
    goes_on = ResumeRequested(by=OLGA, pause=held.pause.number)
    await world.journal.append(again, goes_on, f"resume.{again}")
    ended = await world.ended(again)
    assert ended.steps["long"].kept_from == first
    assert ended.steps["long"].output == {"n": 1}
    assert len(ended.steps["b"].attempts) == 1
