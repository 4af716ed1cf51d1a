"""`hv-delegate`: somebody does it, and the step waits without holding an agent.

Theory of operation: the delegation is stored with the leg that waits for it, then the step defers.
Whoever answers changes the delegation and wakes that leg by its token. A leg that resumes first
says that it is now the one that waits, and only then looks: an answer comes either before, and is
seen, or after, and wakes it. Time alone wakes it too: when the offer or the deadline runs out, and
every `LOOK_AGAIN_S` in case a wake-up got lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from services.executor.commands.base import (
    CommandContext,
    Completed,
    Deferred,
    Failed,
    JsonObject,
    Outcome,
)
from services.executor.commands.hive_access import origin_of, with_hive
from services.executor.commands.status import delegation_state
from shared.collective.choosing import fitting
from shared.commands.hive import DELEGATE, DelegateOutput, DelegateParameters
from shared.commands.spec import CommandSpec
from shared.contracts.collective import Participant
from shared.contracts.delegations import (
    OFFERS_LIMIT,
    Delegation,
    DelegationStatus,
    ExpireDelegation,
    Offer,
    ReofferDelegation,
    WatchDelegation,
)
from shared.ports.collective import ConflictError
from shared.ports.hive import HivePort

LOOK_AGAIN_S = 900
"""How long a step waits at most before it looks at its delegation again, in seconds."""
ROUNDS = 5
"""How often a change is tried when participants answer at the same moment."""

_S = DelegationStatus


class DelegateCommand:
    """Offers a task, and re-offers it until it is done, nobody is left, or time is up."""

    spec: CommandSpec = DELEGATE
    parameters: type[BaseModel] = DelegateParameters

    async def run(self, params: DelegateParameters, context: CommandContext) -> Outcome:
        """Offer it to the best; an attempt delivered again goes on with its own delegation."""

        async def work(hive: HivePort) -> Outcome:
            delegation_id = f"dl_{origin_of(context).key()}"
            if await hive.delegations.get(delegation_id) is not None:
                return await _look(hive, params, context, delegation_id)
            able = await _able(hive, params, exclude=())
            if not able:
                return Failed("no_participant", await _nobody(hive, params), retryable=True)
            new = _delegation(delegation_id, params, context, able[0], hive.clock.now_ms())
            kept = await hive.delegations.offer(new)
            context.emit("progress", f"offered to {kept.participant}")
            return await _judge(hive, params, context, kept)

        return await with_hive(context, work)

    async def resume(
        self, params: DelegateParameters, context: CommandContext, token: str
    ) -> Outcome:
        """Look at the delegation, and act on what became of it."""
        delegation_id = token.rpartition("/")[0]

        async def work(hive: HivePort) -> Outcome:
            return await _look(hive, params, context, delegation_id)

        return await with_hive(context, work)


async def _look(
    hive: HivePort, params: DelegateParameters, context: CommandContext, delegation_id: str
) -> Outcome:
    watch = WatchDelegation(leg=context.leg)
    delegation = await hive.delegations.change(delegation_id, watch, hive.clock.now_ms())
    return await _judge(hive, params, context, delegation)


async def _judge(
    hive: HivePort, params: DelegateParameters, context: CommandContext, delegation: Delegation
) -> Outcome:
    """Act until the delegation is settled or waits; start over where somebody was quicker."""
    for _ in range(ROUNDS):
        settled = _settled(params, delegation)
        if settled is not None:
            return settled
        now_ms = hive.clock.now_ms()
        try:
            if now_ms >= delegation.deadline_ms:
                delegation = await _expire(hive, delegation, "not completed by its deadline")
            elif _must_move(delegation, now_ms):
                delegation = await _reoffer(hive, params, context, delegation)
            else:
                return _wait(delegation, now_ms)
        except ConflictError:
            changed = await hive.delegations.get(delegation.id)
            delegation = changed or delegation
    return _wait(delegation, hive.clock.now_ms())


def _settled(params: DelegateParameters, delegation: Delegation) -> Outcome | None:
    output = _output(delegation)
    reached = {
        "completed": (_S.COMPLETED,),
        "accepted": (_S.ACCEPTED, _S.COMPLETED),
        "offered": (_S.OFFERED, _S.ACCEPTED, _S.COMPLETED),
    }[params.wait_for]
    if delegation.status in reached:
        return Completed(output)
    if delegation.status is _S.EXPIRED:
        code = "deadline_passed" if _is_late(delegation) else "no_participant_left"
        return Failed(code, _ended(delegation), output=output)
    if delegation.status is _S.CANCELLED:
        return Failed("delegation_cancelled", _ended(delegation), output=output)
    return None


def _is_late(delegation: Delegation) -> bool:
    return (delegation.ended_at_ms or 0) >= delegation.deadline_ms


def _ended(delegation: Delegation) -> str:
    asked = "; ".join(_told(offer) for offer in delegation.offers)
    return f"the task was {delegation.status.value}: {delegation.reason or 'no reason'} ({asked})"


def _told(offer: Offer) -> str:
    answer = offer.answer or "unanswered"
    return f"{offer.participant}: {answer}{f', {offer.reason}' if offer.reason else ''}"


def _must_move(delegation: Delegation, now_ms: int) -> bool:
    unanswered = delegation.status is _S.OFFERED and now_ms >= delegation.offer.answer_by_ms
    return unanswered or delegation.status is _S.DECLINED


async def _reoffer(
    hive: HivePort, params: DelegateParameters, context: CommandContext, delegation: Delegation
) -> Delegation:
    asked = [offer.participant for offer in delegation.offers]
    able = await _able(hive, params, exclude=asked)
    if not able or len(asked) >= OFFERS_LIMIT:
        return await _expire(hive, delegation, "everybody who fits declined or did not answer")
    now_ms = hive.clock.now_ms()
    change = ReofferDelegation(
        replaces=delegation.participant,
        participant=able[0].name,
        answer_by_ms=now_ms + params.answer_within_s * 1000,
    )
    moved = await hive.delegations.change(delegation.id, change, now_ms)
    context.emit("progress", f"{_told(delegation.offer)}; offered to {moved.participant}")
    return moved


async def _expire(hive: HivePort, delegation: Delegation, reason: str) -> Delegation:
    change = ExpireDelegation(reason=reason)
    return await hive.delegations.change(delegation.id, change, hive.clock.now_ms())


def _wait(delegation: Delegation, now_ms: int) -> Deferred:
    until_ms = min(delegation.deadline_ms, now_ms + LOOK_AGAIN_S * 1000)
    if delegation.status is _S.OFFERED:
        until_ms = min(until_ms, delegation.offer.answer_by_ms)
    return Deferred(delegation.token(), wake_at_s=until_ms / 1000, output=_output(delegation))


async def _able(
    hive: HivePort, params: DelegateParameters, exclude: Sequence[str]
) -> list[Participant]:
    everybody = await hive.participants.all()
    wanted = [p for p in everybody if params.participants is None or p.name in params.participants]
    counts = await hive.delegations.open_counts()
    return fitting(wanted, counts, params.required_capabilities, exclude)


async def _nobody(hive: HivePort, params: DelegateParameters) -> str:
    everybody = await hive.participants.all()
    required = ", ".join(params.required_capabilities) or "none"
    named = f" among {', '.join(params.participants)}" if params.participants else ""
    available = sum(participant.available for participant in everybody)
    return (
        f"no participant{named} is available with the required capabilities ({required}); "
        f"{len(everybody)} are registered, {available} available: register one, or ask for less"
    )


def _delegation(
    delegation_id: str,
    params: DelegateParameters,
    context: CommandContext,
    first: Participant,
    now_ms: int,
) -> Delegation:
    answer_by_ms = now_ms + params.answer_within_s * 1000
    return Delegation(
        id=delegation_id,
        task=params.task,
        details=params.details,
        priority=params.priority,
        required_capabilities=tuple(params.required_capabilities),
        offers=(Offer(participant=first.name, at_ms=now_ms, answer_by_ms=answer_by_ms),),
        wait_for=params.wait_for,
        requested_by=context.agent,
        created_at_ms=now_ms,
        deadline_ms=now_ms + params.deadline_s * 1000,
        execution_id=context.execution_id,
        step=context.step_id,
        attempt=context.attempt,
        leg=context.leg,
    )


def _output(delegation: Delegation) -> JsonObject:
    state = delegation_state(delegation)
    asked = [offer.participant for offer in delegation.offers]
    return DelegateOutput(**state.model_dump(), asked=asked).model_dump(mode="json")
