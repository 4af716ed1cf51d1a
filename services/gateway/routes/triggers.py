"""`/api/v1/triggers`: receivers of what happens elsewhere, and rules that say what it starts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.access import UNKNOWN_KEY_COST, Automator, Gate, Reader
from services.gateway.problems import ProblemError
from services.gateway.routes.paging import MAX_NUMBER
from shared.automation.specs import RuleSpec
from shared.contracts.api.collective import Removed
from shared.contracts.api.executions import ReasonBody
from shared.contracts.api.triggers import (
    EventsAccepted,
    RuleList,
    RuleTest,
    RuleTestResult,
    RuleView,
)
from shared.contracts.receivers import (
    OVERLAP_LIMIT_S,
    IssuedReceiver,
    NewReceiver,
    ReceiverList,
    ReceiverView,
)

router = APIRouter(prefix="/api/v1/triggers", tags=["triggers"])

IfEdition = Annotated[
    int | None,
    Query(ge=1, le=MAX_NUMBER, description="Only if this is still its edition (409 otherwise)."),
]


class ReceiverRotation(BaseModel):
    """For how long the secret before is taken, too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap_s: float = Field(3_600, ge=0, le=OVERLAP_LIMIT_S)


@router.post(
    "/receive/{receiver_id}",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {}}},
        }
    },
)
async def receive_events(gate: Gate, receiver_id: str, request: Request) -> EventsAccepted:
    """Where other systems send to: Alertmanager, signed webhooks, CloudEvents. Needs the receiver's
    secret and no API key. 202 means that every rule of the receiver will see the events."""
    gate.limiter.take(f"receiver {receiver_id}"[:200])
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        return await gate.receivers.receive(receiver_id, headers, await request.body())
    except ProblemError as error:
        if error.details.status == 401 and request.client is not None:
            gate.limiter.take(f"address {request.client.host}", UNKNOWN_KEY_COST)
        raise


@router.get("/receivers")
async def list_receivers(gate: Gate, _reader: Reader) -> ReceiverList:
    """Every receiver with its address and its rules, newest first, without secrets."""
    return await gate.receivers.all()


@router.post("/receivers", status_code=201)
async def create_receiver(
    gate: Gate, automator: Automator, body: NewReceiver, request: Request
) -> IssuedReceiver:
    """Make an address to send to. The secret is in this answer and is never shown again."""
    issued = await gate.receivers.create(body, automator)
    request.state.subject = issued.receiver.id
    return issued


@router.get("/receivers/{receiver_id}")
async def get_receiver(gate: Gate, _reader: Reader, receiver_id: str) -> ReceiverView:
    """One receiver, with its address and its rules."""
    return await gate.receivers.get(receiver_id)


@router.post("/receivers/{receiver_id}/rotate-secret")
async def rotate_receiver_secret(
    gate: Gate, _automator: Automator, receiver_id: str, body: ReceiverRotation | None = None
) -> IssuedReceiver:
    """Give it a new secret, shown in this answer alone; the one before is taken until the overlap
    ends."""
    return await gate.receivers.rotate(receiver_id, (body or ReceiverRotation()).overlap_s)


@router.delete("/receivers/{receiver_id}")
async def delete_receiver(gate: Gate, _automator: Automator, receiver_id: str) -> Removed:
    """Take nothing more at its address. Rules that use it must go first."""
    await gate.receivers.remove(receiver_id)
    return Removed(id=receiver_id)


@router.get("/rules")
async def list_rules(gate: Gate, _reader: Reader) -> RuleList:
    """Every rule with its counts and what became of its last events, oldest first."""
    return await gate.rules.all()


@router.post("/rules", status_code=201)
async def create_rule(
    gate: Gate, automator: Automator, body: RuleSpec, request: Request, response: Response
) -> RuleView:
    """Have events start a template."""
    made = await gate.rules.create(body, automator)
    request.state.subject = made.id
    response.headers["Location"] = f"{router.prefix}/rules/{made.id}"
    return made


@router.post("/rules/test")
async def try_rule_definition(gate: Gate, _reader: Reader, body: RuleTest) -> RuleTestResult:
    """What a rule that is not stored would make of an event. Nothing is started or kept."""
    return await gate.rules.test(None, body)


@router.get("/rules/{rule_id}")
async def get_rule(gate: Gate, _reader: Reader, rule_id: str) -> RuleView:
    """One rule: what became of its events, counted, and of the last hundred with reasons."""
    return await gate.rules.get(rule_id)


@router.put("/rules/{rule_id}")
async def update_rule(
    gate: Gate, automator: Automator, rule_id: str, body: RuleSpec, if_edition: IfEdition = None
) -> RuleView:
    """Write it anew. What was seen and counted stays; what waits is ignored."""
    return await gate.rules.change(rule_id, body, if_edition, automator)


@router.delete("/rules/{rule_id}")
async def delete_rule(gate: Gate, automator: Automator, rule_id: str) -> Removed:
    """Never start anything again; what runs goes on."""
    await gate.rules.delete(rule_id, automator)
    return Removed(id=rule_id)


@router.post("/rules/{rule_id}/test")
async def try_rule(gate: Gate, _reader: Reader, rule_id: str, body: RuleTest) -> RuleTestResult:
    """What the rule would make of an event now, with all that it has seen. Nothing is started."""
    return await gate.rules.test(rule_id, body)


@router.post("/rules/{rule_id}/pause")
async def pause_rule(
    gate: Gate, automator: Automator, rule_id: str, body: ReasonBody | None = None
) -> RuleView:
    """Count events and start nothing until it is resumed."""
    return await gate.rules.pause(rule_id, body.reason if body else "", automator)


@router.post("/rules/{rule_id}/resume")
async def resume_rule(gate: Gate, automator: Automator, rule_id: str) -> RuleView:
    """Go on with what comes from now on."""
    return await gate.rules.resume(rule_id, automator)
