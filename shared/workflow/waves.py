"""Fleets at work: the targets are asked for, then run on batch by batch.

* The directory of agents is outside. The fleet asks (`StepTargeting`), and the answer comes as a
  message; what it says holds from then on, whoever joins or goes.
* A batch begins when everything of the one before has ended, its pause is over, and, where a gate
  stands between, people approved exactly the targets of the next one.
* Whatever `stop_on` names keeps the rest from beginning. What runs may finish.
* The step ends with what became of each target. It fails if more failed than `max_failure` allows,
  or if it was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.adopting import adopt_instances
from shared.workflow.approval_subject import known_parameters
from shared.workflow.binding import bind
from shared.workflow.breakpoints import pauses_before
from shared.workflow.errors import present
from shared.workflow.expressions import as_fractions, json_size
from shared.workflow.failing import MAX_OUTPUT_BYTES, fail_for_good
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.gates import closed
from shared.workflow.loop_state import FleetState, LoopState
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Failure, Instance, TargetsResolved
from shared.workflow.program import CompiledStep
from shared.workflow.scheduling import may_start, schedule_attempt
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.turn import Turn

BATCH_TIMER: Final = "batch"
MAX_NAMED: Final = 10
"""Failed targets that a message names."""


def ask_for_targets(turn: Turn, step_id: str) -> None:
    """Begin a fleet. Raises `ExpressionError` where it can never run, whoever its targets are."""
    compiled = turn.compiled(step_id)
    if compiled.step.approval is not None:
        known_parameters(compiled, turn.state)
    turn.emit(question_of(compiled, turn.state, turn.seq))


def question_of(compiled: CompiledStep, state: ExecutionState, asked: int) -> ev.StepTargeting:
    """Which agents to look for, with what the selector uses of the execution."""
    selector, target = present(compiled.selector, "selector"), compiled.step.target
    return ev.StepTargeting(
        step=compiled.step.id,
        asked=asked,
        where=selector.source,
        values=as_fractions(bind(selector.needs, state), selector.numeric),
        labels=target.labels,
        capabilities=compiled.capabilities,
        any_capabilities=compiled.step.any_capabilities,
        per=target.per,
        one=target.strategy == "one",
        placement=target.placement or "spread",
    )


def targets_resolved(turn: Turn, message: TargetsResolved) -> None:
    """The directory has answered."""
    step = turn.state.steps.get(message.step)
    if step is None or step.status is not StepStatus.EXPANDED:
        return
    fleet = step.loop.fleet if step.loop is not None else None
    if fleet is None or fleet.batches or fleet.asked != message.asked:
        return
    target = turn.compiled(message.step).step.target
    failure = _unusable(message, target.where or "", allow_empty=target.allow_empty)
    if failure is not None:
        fail_for_good(turn, message.step, failure)
        return
    sizes = target.batches(len(message.targets))
    instances = tuple(_instances(message, sizes))
    turn.emit(
        ev.StepTargeted(
            step=message.step,
            instances=instances,
            batches=len(sizes),
            canaries=sizes[0] if sizes and target.canary is not None else 0,
        )
    )
    adopt_instances(turn, message.step, instances, step.plan)
    if sizes:
        advance_fleet(turn, message.step)
    else:
        _complete(turn, message.step)


def advance_fleet(turn: Turn, step_id: str) -> None:
    """Begin what may begin of a fleet, and end the step when all of it has ended."""
    if _fleet(turn, step_id).batches == 0:
        return
    _stop_if_due(turn, step_id)
    if _fleet(turn, step_id).stopped is not None:
        for key in pending(turn, step_id):
            turn.emit(ev.StepSkipped(step=key, reason="its fleet was stopped before it began"))
    if not _batch_is_over(turn, step_id):
        _start(turn, step_id)
        return
    _say_over(turn, step_id)
    if _loop(turn, step_id).ended == turn.step(step_id).instances:
        _end(turn, step_id)
    elif f"{BATCH_TIMER}-{step_id}" not in turn.state.timers and may_start(turn, step_id):
        _next_batch(turn, step_id)


def stop_fleet(turn: Turn, step_id: str, failure: Failure) -> None:
    """Let nothing more of a fleet begin, for example because people said no."""
    turn.emit(ev.StepFleetStopped(step=step_id, failure=failure))
    advance_fleet(turn, step_id)


def pending(turn: Turn, step_id: str) -> Iterator[str]:
    """The instances that have not begun, in order; they may begin while this goes on."""
    first = _loop(turn, step_id).first
    for index in range(first, turn.step(step_id).instances):
        key = f"{step_id}[{index}]"
        if turn.step(key).status is StepStatus.PENDING:
            yield key


def skips_lost_target(turn: Turn, step_id: str) -> bool:
    """True for a target that is gone before anything began on it, and does not count then."""
    step = turn.step(step_id)
    if step.instance is None or not step.instance.target or step.attempts:
        return False
    return turn.compiled(step_id).step.target.on_target_lost == "skip"


def _loop(turn: Turn, step_id: str) -> LoopState:
    return present(turn.step(step_id).loop, "loop")


def _fleet(turn: Turn, step_id: str) -> FleetState:
    return present(_loop(turn, step_id).fleet, "fleet")


def _unusable(message: TargetsResolved, where: str, *, allow_empty: bool) -> Failure | None:
    if message.matched > MAX_INSTANCES:
        limit = f"the limit is {MAX_INSTANCES}: narrow it"
        said = f"`{where}` matches {message.matched} agents, {limit}"
        return Failure(code="too_many_targets", message=said, retryable=False)
    if not message.targets and not allow_empty:
        said = f"`{where}` matches none of the {message.live} live agents"
        said += f" ({message.why})" if message.why else ""
        return Failure(code="no_targets", message=said, retryable=False)
    return None


def _instances(message: TargetsResolved, sizes: list[int]) -> Iterator[Instance]:
    numbers = [batch for batch, size in enumerate(sizes, 1) for _ in range(size)]
    for index, (target, batch) in enumerate(zip(message.targets, numbers, strict=True)):
        item = target.model_dump()
        yield Instance(index=index, key=target.name, item=item, target=target.name, batch=batch)


def _stop_if_due(turn: Turn, step_id: str) -> None:
    """Look at what `stop_on` names; a fleet is stopped once."""
    loop, fleet = _loop(turn, step_id), _fleet(turn, step_id)
    if fleet.stopped is not None or loop.ended == 0:
        return
    target = turn.compiled(step_id).step.target
    total = turn.step(step_id).instances
    budget = target.budget(total)
    if target.stops_on("canary_failure") and _canary_failed(turn, step_id):
        code, said = "canary_failed", "its canary failed"
    elif target.stops_on("first_failure") and loop.failed:
        code, said = "targets_failed", "a target failed"
    elif target.stops_on("max_failure") and loop.failed > budget:
        code, said = "targets_failed", f"{loop.failed} targets failed, and {budget} may"
    else:
        return
    if loop.first == total:
        return  # nothing is left that could begin: what failed is judged at the end
    failure = Failure(code=code, message=f"stopped: {said}", retryable=False)
    turn.emit(ev.StepFleetStopped(step=step_id, failure=failure))


def _canary_failed(turn: Turn, step_id: str) -> bool:
    """A canary of which nothing completed has shown nothing."""
    fleet = _fleet(turn, step_id)
    if not fleet.canaries or fleet.batch > 1:
        return False
    canary = [turn.step(f"{step_id}[{index}]") for index in range(fleet.canaries)]
    if any(one.status is StepStatus.FAILED for one in canary):
        return True
    return all(one.ended and one.status is not StepStatus.COMPLETED for one in canary)


def _batch_is_over(turn: Turn, step_id: str) -> bool:
    loop, whole = _loop(turn, step_id), turn.step(step_id)
    if loop.under_way:
        return False
    if loop.first == whole.instances:
        return True
    return _instance(turn, f"{step_id}[{loop.first}]").batch > _fleet(turn, step_id).batch


def _instance(turn: Turn, key: str) -> Instance:
    return present(turn.step(key).instance, "target")


def _say_over(turn: Turn, step_id: str) -> None:
    """The batch that ran is over; a pause follows if another batch does."""
    fleet, loop = _fleet(turn, step_id), _loop(turn, step_id)
    if fleet.over == fleet.batch:
        return
    turn.emit(
        ev.StepBatchEnded(
            step=step_id,
            batch=fleet.batch,
            batches=fleet.batches,
            completed=loop.completed,
            failed=loop.failed,
        )
    )
    pause_s = turn.compiled(step_id).step.target.pause_between_s
    if pause_s and loop.ended < turn.step(step_id).instances:
        turn.set_timer(f"{BATCH_TIMER}-{step_id}", turn.at_ms + round(pause_s * 1000))


def _next_batch(turn: Turn, step_id: str) -> None:
    batch = _instance(turn, next(pending(turn, step_id))).batch
    if _is_held(turn, step_id, batch):
        return
    fleet = _fleet(turn, step_id)
    turn.emit(
        ev.StepBatchStarted(
            step=step_id,
            batch=batch,
            batches=fleet.batches,
            canary=batch == 1 and fleet.canaries > 0,
            targets=_targets_of(turn, step_id, batch),
        )
    )
    _start(turn, step_id)


def _is_held(turn: Turn, step_id: str, batch: int) -> bool:
    """True while a gate holds the batch back: the step's own one before the first, which is about
    all targets, or one between batches, which is about the next ones."""
    step = turn.compiled(step_id).step
    if batch == 1:
        rule, name, targets = step.approval, step_id, _targets_of(turn, step_id)
    else:
        rule, name = step.target.gate_before(batch), f"{step_id}.batch_{batch}"
        targets = _targets_of(turn, step_id, batch)
    return rule is not None and closed(turn, name, rule, step_id, targets)


def _targets_of(turn: Turn, step_id: str, batch: int = 0) -> tuple[str, ...]:
    """The targets that have not begun, of one batch or of all."""
    found = (_instance(turn, key) for key in pending(turn, step_id))
    return tuple(one.target for one in found if batch in (0, one.batch))


def _start(turn: Turn, step_id: str) -> None:
    batch = _fleet(turn, step_id).batch
    for key in pending(turn, step_id):
        if _instance(turn, key).batch > batch or not may_start(turn, key):
            return
        if pauses_before(turn, key):
            return
        schedule_attempt(turn, key, attempt=1)


def _end(turn: Turn, step_id: str) -> None:
    """All of it has ended: judge."""
    loop, whole = _loop(turn, step_id), turn.step(step_id)
    stopped = _fleet(turn, step_id).stopped
    budget = turn.compiled(step_id).step.target.budget(whole.instances)
    if stopped is None and loop.failed <= budget:
        _complete(turn, step_id)
        return
    code = stopped.code if stopped is not None else "targets_failed"
    said = [stopped.message] if stopped is not None else []
    if loop.failed:
        said.append(_failed_targets(turn, step_id))
    failure = Failure(code=code, message="; ".join(said), retryable=False)
    fail_for_good(turn, step_id, failure, output=_fitting_output(turn, step_id))


def _complete(turn: Turn, step_id: str) -> None:
    output = _fitting_output(turn, step_id)
    turn.emit(
        ev.StepCompleted(step=step_id, attempt=0, output=output, output_bytes=json_size(output))
    )


def _failed_targets(turn: Turn, step_id: str) -> str:
    failed = [one for one in _every(turn, step_id) if one.status is StepStatus.FAILED]
    names = [present(one.instance, "target").target for one in failed]
    listed = ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
    first = present(failed[0].failure, "failure").message
    total = turn.step(step_id).instances
    return f"{len(failed)} of {total} targets failed: {listed} ({first})"


def _every(turn: Turn, step_id: str) -> Iterator[StepState]:
    for index in range(turn.step(step_id).instances):
        yield turn.step(f"{step_id}[{index}]")


def _fitting_output(turn: Turn, step_id: str) -> dict[str, Any]:
    """What became of each target. Where their outputs take too much room together they are left
    with the instances, and where even that is too much the targets are."""
    loop, fleet = _loop(turn, step_id), _fleet(turn, step_id)
    every = list(_every(turn, step_id))
    output: dict[str, Any] = {
        "total": len(every),
        "completed": loop.completed,
        "failed": loop.failed,
        "skipped": sum(one.status is StepStatus.SKIPPED for one in every),
        "batches": fleet.batches,
        "stopped": fleet.stopped.message if fleet.stopped is not None else "",
        "results": [_result(one) for one in every],
    }
    room = MAX_OUTPUT_BYTES - turn.state.output_bytes
    if json_size(output) > room:
        output["results"] = [{**one, "output": {}} for one in output["results"]]
    return output if json_size(output) <= room else {**output, "results": []}


def _result(one: StepState) -> dict[str, Any]:
    instance = present(one.instance, "target")
    return {
        "target": instance.target,
        "host": instance.item["host"],
        "batch": instance.batch,
        "status": one.status.value,
        "output": one.output,
        "error": one.failure.message if one.failure is not None else one.reason,
        "code": one.failure.code if one.failure is not None else "",
        "attempts": len(one.attempts),
    }
