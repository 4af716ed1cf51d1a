"""Causes in a step that is under way: by its status, one function each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.contracts.agents import AgentRecord
from shared.contracts.api.explain import Awaited, Finding, Severity
from shared.explain.fitting import in_words, requirement_of, unmet
from shared.explain.fleets import loop_fields
from shared.explain.picture import Picture
from shared.explain.wording import names, span
from shared.workflow.definition import Step
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState, StepState

_S = StepStatus
TAKEN_MS: Final = 10_000
"""A task that free agents have been offered for so long should have been taken."""
GONE_S: Final = 10
LOOK: Final = "hv agents"
SLOW_FACTOR: Final = 3
ENOUGH_RUNS: Final = 3


def steps(picture: Picture) -> Iterator[Finding]:
    """What each step that is under way waits for."""
    state = picture.state
    if state is None or state.over:
        return
    for name, step in state.steps.items():
        look = BY_STATUS.get(step.status)
        if look is not None:
            yield look(picture, state, name, step)


def _made(picture: Picture, name: str, **fields: Any) -> Finding:
    return Finding(step=name, usual=picture.past.usual.get(name.partition("[")[0]), **fields)


def _definition(picture: Picture, name: str) -> Step | None:
    return picture.program.step(name).step if picture.program is not None else None


def _offered(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """It is in a pool, and no agent has claimed it."""
    since, now = step.scheduled_at_ms, picture.now_ms
    if picture.agents is not None and picture.program is not None:
        wanted = requirement_of(picture.program, state, name)
        fit = [agent for agent in picture.agents if not unmet(agent, wanted)]
        if not fit:
            return _nobody(picture, state, name, step)
        free = [agent.name for agent in fit if agent.running < agent.slots]
        if not free:
            return _full(picture, name, step, fit)
        if now - since > TAKEN_MS:
            return _made(
                picture,
                name,
                cause="not_taken",
                severity=Severity.STUCK,
                says=f"{name} is offered since {span(now - since)}, and none of the agents that "
                f"fit has taken it: {names(free)}",
                waits_for=Awaited(kind="agent", name=names(free), message="attempt_started"),
                since_ms=since,
                normally="A free agent takes a task within milliseconds. Look at its log.",
                action=LOOK,
            )
    return _made(
        picture,
        name,
        cause="offered",
        severity=Severity.WAITS,
        says=f"{name} is offered to agents, for {span(now - since)} now.",
        waits_for=Awaited(kind="pool", name=name, message="attempt_started"),
        since_ms=since,
        normally="A free agent takes it within milliseconds.",
        action=f"hv watch {state.execution_id}",
    )


def _full(picture: Picture, name: str, step: StepState, fit: list[AgentRecord]) -> Finding:
    busy = ", ".join(f"{a.name} ({a.running} of {a.slots})" for a in fit[:5])
    return _made(
        picture,
        name,
        cause="no_free_slot",
        severity=Severity.WAITS,
        says=f"{name} waits for a free slot: every agent that fits is busy: {busy}",
        waits_for=Awaited(kind="slot", name=names(a.name for a in fit), message="attempt_started"),
        since_ms=step.scheduled_at_ms,
        normally="The first one that has a free slot takes it.",
        action=LOOK,
    )


def _nobody(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """No live agent fits, and which requirement each does not meet."""
    definition = _definition(picture, name)
    limit_ms = round(definition.start_timeout_s * 1000) if definition is not None else 0
    says, wanted = step.reason or "no live agent fits", name
    if picture.program is not None and picture.agents is not None:
        required = requirement_of(picture.program, state, name)
        wanted = in_words(required)
        each = (f"{a.name} {', '.join(unmet(a, required))}" for a in picture.agents)
        lacking = [one for one in each if not one.endswith(" ")]
        says = f"no live agent {wanted}: {names(lacking, 'no agent is alive')}"
        if len(lacking) < len(picture.agents):
            says = f"an agent that {wanted} has come; it is looked for again in a moment"
    return _made(
        picture,
        name,
        cause="nobody_fits",
        severity=Severity.STUCK,
        says=f"{name} cannot start: {says}",
        waits_for=Awaited(kind="agent", name=wanted, message="attempt_started"),
        since_ms=step.scheduled_at_ms,
        due_ms=step.scheduled_at_ms + limit_ms if limit_ms else 0,
        normally="It is looked for again every 2 seconds; after the step's `start_timeout_s` it "
        "fails with no_agent.",
        action=LOOK,
    )


def _running(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """An agent runs it; or ran it, and is gone."""
    agent = picture.agent(step.agent)
    if picture.agents is not None and agent is None:
        return _gone(picture, name, step)
    definition = _definition(picture, name)
    elapsed = picture.now_ms - step.started_at_ms
    usual = picture.past.usual.get(name.partition("[")[0])
    slow = usual is not None and usual.runs >= ENOUGH_RUNS and elapsed > SLOW_FACTOR * usual.p95_ms
    seen = f", seen {span(picture.now_ms - agent.seen_at_ms)} ago" if agent is not None else ""
    took = f"; it usually takes {span(usual.median_ms)}" if usual is not None and slow else ""
    limit = round(definition.timeout_s * 1000) if definition is not None else 0
    return _made(
        picture,
        name,
        cause="slower_than_usual" if slow else "running",
        severity=Severity.WAITS if slow else Severity.RUNS,
        says=f"{name} runs on {step.agent}{seen}, for {span(elapsed)} now{took}.",
        waits_for=Awaited(kind="agent", name=step.agent, message="attempt_finished"),
        since_ms=step.started_at_ms,
        due_ms=step.started_at_ms + limit if limit else 0,
        normally="Its agent stops it at its timeout." if limit else "",
        action=f"hv logs {state.execution_id} --step {name}",
    )


def _gone(picture: Picture, name: str, step: StepState) -> Finding:
    heard = picture.heard_ms.get(name, 0)
    last = f"; its last line came {span(picture.now_ms - heard)} ago" if heard else ""
    compiled = picture.program.step(name) if picture.program is not None else None
    rule = f" (`on_lost: {compiled.on_lost.value}`)" if compiled is not None else ""
    return _made(
        picture,
        name,
        cause="agent_gone",
        severity=Severity.STUCK,
        says=f"Agent {step.agent}, which {'stops' if step.status is _S.STOPPING else 'runs'} "
        f"{name}, has not been seen for at least {GONE_S} seconds{last}.",
        waits_for=Awaited(kind="agent", name=step.agent, message="attempt_lost"),
        since_ms=heard or step.started_at_ms,
        normally="After 15 seconds of silence its task is given to another agent, or taken by a "
        f"coordinator; then the attempt is lost, and the step's rule decides{rule}.",
        action=LOOK,
    )


def _stopping(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """Its agent has to prove that what ran is gone."""
    if step.child is not None:
        return _calling(picture, state, name, step)
    if picture.agents is not None and picture.agent(step.agent) is None:
        return _gone(picture, name, step)
    return _made(
        picture,
        name,
        cause="stopping",
        severity=Severity.WAITS,
        says=f"{name} is being stopped: agent {step.agent} has to prove that what ran is gone.",
        waits_for=Awaited(kind="agent", name=step.agent, message="attempt_finished"),
        since_ms=state.updated_at_ms,
        normally="It is told again every 3 seconds; after 60 the step ends without proof.",
        action=f"hv watch {state.execution_id}",
    )


def _retrying(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """An attempt failed, and the next one waits for its time."""
    timer = state.timers.get(f"retry-{name}")
    definition = _definition(picture, name)
    last = step.attempts[-1].failure if step.attempts else None
    why = f" ({last.code}: {last.message})" if last is not None else ""
    most = f" of {definition.retry.max_attempts}" if definition is not None else ""
    when = f" in {span(timer.due_ms - picture.now_ms)}" if timer is not None else ""
    return _made(
        picture,
        name,
        cause="retry_delay",
        severity=Severity.WAITS,
        says=f"{name} is tried again{when}: attempt {step.attempt}{most} is over{why}",
        waits_for=Awaited(kind="timer", name=f"retry-{name}", message="timer_fired"),
        since_ms=step.attempts[-1].finished_at_ms if step.attempts else 0,
        due_ms=timer.due_ms if timer is not None else 0,
        normally="The next attempt starts by itself; during a pause, after it.",
        action=f"hv logs {state.execution_id} --step {name}",
    )


def _lost(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """Nobody knows what became of it, and a person has to say."""
    attempt = step.attempts[-1] if step.attempts else None
    agent = (attempt.agent if attempt is not None else "") or step.agent or "an agent"
    return _made(
        picture,
        name,
        cause="lost",
        severity=Severity.STUCK,
        says=f"{name} is lost: {agent} had started it and is gone, and nobody knows what it did"
        + (f" ({step.reason})" if step.reason else ""),
        waits_for=Awaited(kind="person", name="resolve", message="lost_resolved"),
        since_ms=step.started_at_ms,
        normally="`on_lost: ask` waits for a person: find out what it did, then `hv resolve "
        f"{state.execution_id} {name} completed|failed|rerun`.",
        action=f"hv logs {state.execution_id} --step {name}",
    )


def _waiting(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """It holds no agent: a signal, a delegated task, a time, or whoever knows its token."""
    definition = _definition(picture, name)
    if definition is not None and definition.wait_for is not None:
        return _signal(picture, state, name, step, definition)
    delegation = picture.delegations.get(name)
    if delegation is not None:
        return _made(
            picture,
            name,
            cause="delegated",
            severity=Severity.NEEDS_PEOPLE,
            says=f"{name} waits for {delegation.participant}, who has {delegation.status.value} "
            f"the task: {delegation.task[:200]}",
            waits_for=Awaited(
                kind="participant", name=delegation.participant, message="attempt_woken"
            ),
            since_ms=delegation.created_at_ms,
            due_ms=delegation.deadline_ms,
            normally="Who declines it, or is late, is followed by the next who fits.",
            action=f"hv delegations --execution {state.execution_id}",
        )
    timer = state.timers.get(f"wake-{name}")
    if timer is not None:
        return _made(
            picture,
            name,
            cause="wait",
            severity=Severity.WAITS,
            says=f"{name} waits for {span(timer.due_ms - picture.now_ms)} more, without an agent.",
            waits_for=Awaited(kind="timer", name=f"wake-{name}", message="timer_fired"),
            since_ms=step.started_at_ms,
            due_ms=timer.due_ms,
            normally="It goes on by itself.",
            action=f"hv watch {state.execution_id}",
        )
    return _made(
        picture,
        name,
        cause="outside",
        severity=Severity.NEEDS_PEOPLE,
        says=f"{name} waits for something outside that knows it by the token {step.token}.",
        waits_for=Awaited(kind="signal", name=step.token or "", message="attempt_woken"),
        since_ms=step.started_at_ms,
        normally="Whoever was asked wakes it.",
        action=f"hv show {state.execution_id}",
    )


def _signal(
    picture: Picture, state: ExecutionState, name: str, step: StepState, definition: Step
) -> Finding:
    options = definition.wait_for.options if definition.wait_for is not None else ()
    signals = [f"the signal {option.signal}" for option in options if option.signal is not None]
    people = ["an answer of people"] if any(o.approval is not None for o in options) else []
    timer = state.timers.get(f"choice-{name}")
    left = [f"{span(timer.due_ms - picture.now_ms)} to pass"] if timer is not None else []
    return _made(
        picture,
        name,
        cause="signal" if signals else "choice",
        severity=Severity.NEEDS_PEOPLE if signals or people else Severity.WAITS,
        says=f"{name} waits for {' or '.join([*signals, *people, *left])}.",
        waits_for=Awaited(
            kind="signal" if signals else "approval" if people else "timer",
            name=next((o.signal for o in options if o.signal is not None), f"choice-{name}"),
            message="signal_received"
            if signals
            else "approval_answered"
            if people
            else "timer_fired",
        ),
        since_ms=step.started_at_ms,
        due_ms=timer.due_ms if timer is not None else 0,
        normally="Whatever comes first decides; `hv signal` sends a signal.",
        action=f"hv show {state.execution_id}",
    )


def _calling(picture: Picture, _state: ExecutionState, name: str, step: StepState) -> Finding:
    """Its sub-workflow has not ended: the child's own findings tell why."""
    child = picture.children.get(name)
    severity = (
        child.findings[0].severity if child is not None and child.findings else Severity.WAITS
    )
    why = f": {child.answer}" if child is not None else ""
    return _made(
        picture,
        name,
        cause="child",
        severity=severity,
        says=f"{name} waits for its sub-workflow {step.child}{why}",
        waits_for=Awaited(kind="child", name=step.child or "", message="child_ended"),
        since_ms=step.started_at_ms or step.scheduled_at_ms,
        normally="It goes on when the sub-workflow ends.",
        action=child.action if child is not None else f"hv why {step.child}",
        child=child,
    )


def _expanded(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Finding:
    """A loop or a fleet: how far it is."""
    return _made(picture, name, **loop_fields(picture, state, name, step))


Look = Callable[[Picture, ExecutionState, str, StepState], Finding]
BY_STATUS: Final[Mapping[StepStatus, Look]] = {
    _S.SCHEDULED: _offered,
    _S.BLOCKED: _nobody,
    _S.RUNNING: _running,
    _S.WAITING: _waiting,
    _S.EXPANDED: _expanded,
    _S.CALLING: _calling,
    _S.RETRYING: _retrying,
    _S.LOST: _lost,
    _S.STOPPING: _stopping,
}
"""Of what has begun and not ended; a pending step is the matter of `pending`."""
