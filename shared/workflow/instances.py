"""Loops over items: the instances of a step, as many at a time as it allows, and their join.

The step itself ends

* completed, once its join is met: all instances ended with no more failures than `max_failures`,
  or so many have completed;
* failed, once nothing of it runs any more and its join cannot be met.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from shared.workflow import events as ev
from shared.workflow.adopting import adopt_instances
from shared.workflow.binding import base, bind
from shared.workflow.breakpoints import pauses_before
from shared.workflow.errors import ExpressionError, present
from shared.workflow.expressions import json_size
from shared.workflow.failing import MAX_OUTPUT_BYTES, fail_for_good
from shared.workflow.flow import MAX_INSTANCES, Foreach, count_needed
from shared.workflow.loop_state import LoopState
from shared.workflow.machines.step import StepStatus
from shared.workflow.marks import carry_out
from shared.workflow.messages import Failure, Instance, InstancesAdded
from shared.workflow.scheduling import fail_unrendered, may_start, schedule_attempt
from shared.workflow.state import StepState
from shared.workflow.stopping import stop_steps
from shared.workflow.turn import Turn
from shared.workflow.waves import advance_fleet, pending

_S = StepStatus


def expand(turn: Turn, step_id: str) -> None:
    """Begin a loop: find its items, and start the first instances."""
    items = present(turn.compiled(step_id).items, "loop")
    foreach = present(turn.compiled(step_id).step.foreach, "loop")
    try:
        found = _instances(items.source, items.evaluate(bind(items.needs, turn.state)))
        if foreach.given:
            found = tuple(_given(items.source, one) for one in found)
    except ExpressionError as error:
        fail_unrendered(turn, step_id, error)
        return
    plan = turn.step(step_id).plan
    turn.emit(ev.StepExpanded(step=step_id, instances=found))
    adopt_instances(turn, step_id, found, plan)
    go_on(turn, step_id)


def instance_ended(turn: Turn, key: str) -> None:
    """An instance ended: start the next one, or end the step."""
    go_on(turn, base(key))


def instances_added(turn: Turn, message: InstancesAdded) -> None:
    """More items for a loop that is under way."""
    step = turn.state.steps.get(message.step)
    if step is None or step.status is not _S.EXPANDED or step.instances != message.after:
        return
    if turn.compiled(message.step).step.foreach is None:
        return  # the targets of a fleet are those that it began with
    if turn.state.stop is not None or step.instances + len(message.items) > MAX_INSTANCES:
        return
    added = tuple(
        Instance(index=index, item=item) for index, item in enumerate(message.items, step.instances)
    )
    turn.emit(ev.StepExtended(step=message.step, instances=added, by=message.by))
    go_on(turn, message.step)


def go_on(turn: Turn, step_id: str) -> None:
    """Start what may start of a loop or a fleet, and end the step if its join says so."""
    step = turn.step(step_id)
    if step.status is not _S.EXPANDED:
        return
    if step.mark is not None:
        _end_marked(turn, step_id)
        return
    foreach = turn.compiled(step_id).step.foreach
    if foreach is None:
        advance_fleet(turn, step_id)
        return
    loop = present(step.loop, "loop")
    if _met(foreach, loop, step.instances):
        _end_rest(turn, step_id, foreach, "the join is met")
        _complete(turn, step_id)
    elif loop.failed > foreach.max_failures or _out_of_reach(foreach, loop, step.instances):
        _fail(turn, step_id, foreach)
    else:
        _start_some(turn, step_id, max(foreach.concurrency - loop.under_way, 0))


def _instances(source: str, items: Any) -> tuple[Instance, ...]:
    if not isinstance(items, list | dict):
        raise ExpressionError(source, f"must be a list or a map, is {type(items).__name__}")
    if len(items) > MAX_INSTANCES:
        raise ExpressionError(source, f"has {len(items)} items, the limit is {MAX_INSTANCES}")
    pairs = items.items() if isinstance(items, dict) else (("", item) for item in items)
    return tuple(
        Instance(index=index, key=key, item=item) for index, (key, item) in enumerate(pairs)
    )


def _given(source: str, one: Instance) -> Instance:
    """An instance whose item brings the values of variables, and says on which agent it runs."""
    item = one.item
    if not isinstance(item, dict) or not isinstance(item.get("values"), dict):
        raise ExpressionError(source, f"item {one.index} is no `{{agent, values}}`")
    agent = str(item.get("agent", ""))
    return Instance(index=one.index, item=item["values"], target=agent, given=True)


def _of(turn: Turn, step_id: str) -> Iterator[tuple[str, StepState]]:
    steps = turn.state.steps
    for index in range(turn.step(step_id).instances):
        key = f"{step_id}[{index}]"
        yield key, steps[key]


def _met(foreach: Foreach, loop: LoopState, total: int) -> bool:
    if foreach.join == "all":
        return loop.failed <= foreach.max_failures and loop.ended == total
    return loop.completed >= count_needed(foreach.join)


def _out_of_reach(foreach: Foreach, loop: LoopState, total: int) -> bool:
    if foreach.join == "all":
        return False
    return loop.completed + total - loop.ended < count_needed(foreach.join)


def _start_some(turn: Turn, step_id: str, room: int) -> None:
    """Start as many as there is room for."""
    for key in islice(pending(turn, step_id), room):
        if not may_start(turn, key):
            return
        if pauses_before(turn, key):
            return
        schedule_attempt(turn, key, attempt=1)


def _end_rest(turn: Turn, step_id: str, foreach: Foreach, reason: str) -> None:
    """What has not begun is skipped; what runs goes on, unless the loop says otherwise."""
    for key in pending(turn, step_id):
        turn.emit(ev.StepSkipped(step=key, reason=reason))
    if foreach.cancel_rest:
        stop_steps(turn, [key for key, one in _of(turn, step_id) if not one.ended], reason)


def _end_marked(turn: Turn, step_id: str) -> None:
    """A person has said what became of the loop, or the fleet: nothing of it goes on."""
    reason = f"{step_id} was marked"
    for key in pending(turn, step_id):
        turn.emit(ev.StepSkipped(step=key, reason=reason))
    stop_steps(turn, [key for key, one in _of(turn, step_id) if not one.ended], reason)
    if all(one.ended for _, one in _of(turn, step_id)):
        carry_out(turn, step_id)


def _complete(turn: Turn, step_id: str) -> None:
    output = _output(turn, step_id)
    size = json_size(output)
    if turn.state.output_bytes + size > MAX_OUTPUT_BYTES:
        message = "what its instances returned is too large together"
        fail_for_good(turn, step_id, Failure(code="outputs_too_large", message=message))
        return
    turn.emit(ev.StepCompleted(step=step_id, attempt=0, output=output, output_bytes=size))


def _fail(turn: Turn, step_id: str, foreach: Foreach) -> None:
    """Start nothing more; fail once what runs has ended."""
    _end_rest(turn, step_id, foreach, "the join of its loop cannot be met")
    if present(turn.step(step_id).loop, "loop").ended < turn.step(step_id).instances:
        return
    now = dict(_of(turn, step_id))
    names = [key for key, one in now.items() if one.status is _S.FAILED]
    first = next((one.failure for one in now.values() if one.failure is not None), None)
    message = f"its join needs {foreach.join}, and there are {len(now)} instances"
    if first is not None:
        listed = ", ".join(names[:10])
        message = f"{len(names)} of {len(now)} instances failed: {listed} ({first.message})"
    fail_for_good(turn, step_id, Failure(code="instances_failed", message=message))


def _output(turn: Turn, step_id: str) -> dict[str, Any]:
    found = [one for _, one in _of(turn, step_id)]
    return {
        "total": len(found),
        "completed": sum(one.status is _S.COMPLETED for one in found),
        "failed": sum(one.status is _S.FAILED for one in found),
        "results": [_result(one) for one in found],
    }


def _result(one: StepState) -> dict[str, Any]:
    instance = present(one.instance, "item")
    return {
        "index": instance.index,
        "key": instance.key,
        "item": instance.target if instance.given else instance.item,
        "status": one.status.value,
        "output": one.output,
        "error": one.failure.message if one.failure is not None else "",
    }
