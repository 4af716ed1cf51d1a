"""The gateway without its doors: every operation, made from the parts, with one life."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.gateway.audit import Audit
from services.gateway.automation.own_events import OwnEvents
from services.gateway.automation.receivers import ReceiverOperations
from services.gateway.automation.rules import RuleOperations
from services.gateway.automation.schedules import ScheduleOperations
from services.gateway.hub import EventHub
from services.gateway.keys import KeyRing
from services.gateway.operations.analytics import AnalyticsOperations
from services.gateway.operations.approvals import ApprovalOperations
from services.gateway.operations.archive import ArchiveOperations
from services.gateway.operations.bulk import Bulk
from services.gateway.operations.concurrency import ConcurrencyOperations
from services.gateway.operations.delegations import DelegationOperations
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.explaining import Explaining
from services.gateway.operations.fleets import TargetOperations
from services.gateway.operations.operating import Operating
from services.gateway.operations.outcomes import OutcomeOperations
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.operations.proposals import ProposalOperations
from services.gateway.operations.quarantine import QuarantineOperations
from services.gateway.operations.recording import Recording
from services.gateway.operations.replaying import Replaying
from services.gateway.operations.requests import ExecutionRequests
from services.gateway.operations.reruns import Reruns
from services.gateway.operations.rollbacks import RollbackOperations
from services.gateway.operations.sharing import (
    BroadcastOperations,
    FleetOperations,
    MemoryOperations,
)
from services.gateway.operations.steering import Steering
from services.gateway.operations.suggesting import SuggestionOperations
from services.gateway.operations.templates import TemplateOperations
from services.gateway.operations.validating import Validating
from services.gateway.parts import Parts
from services.gateway.rates import RateLimiter
from services.gateway.risk import RiskGate, load_gate
from services.gateway.run_validation import RunValidation
from services.gateway.settings import GatewaySettings
from services.gateway.validation_rules import load_rules
from services.gateway.webhooks.service import Webhooks


@dataclass(frozen=True, slots=True)
class Gateway:
    """What routes, tools and sockets work with. Call `start` before, `close` after."""

    parts: Parts
    settings: GatewaySettings
    hub: EventHub
    keys: KeyRing
    audit: Audit
    limiter: RateLimiter
    validating: Validating
    templates: TemplateOperations
    executions: ExecutionOperations
    requests: ExecutionRequests
    steering: Steering
    operating: Operating
    reruns: Reruns
    bulk: Bulk
    approvals: ApprovalOperations
    archive: ArchiveOperations
    explaining: Explaining
    replaying: Replaying
    quarantine: QuarantineOperations
    delegations: DelegationOperations
    fleet: FleetOperations
    targets: TargetOperations
    memories: MemoryOperations
    broadcasts: BroadcastOperations
    recording: Recording
    webhooks: Webhooks
    schedules: ScheduleOperations
    concurrency: ConcurrencyOperations
    rollbacks: RollbackOperations
    outcomes: OutcomeOperations
    proposals: ProposalOperations
    analytics: AnalyticsOperations
    suggesting: SuggestionOperations
    receivers: ReceiverOperations
    rules: RuleOperations
    own_events: OwnEvents
    run_validation: RunValidation
    sockets: set[object] = field(default_factory=set)
    """The WebSockets that are open."""

    @classmethod
    def of(cls, parts: Parts, settings: GatewaySettings) -> Gateway:
        """Put the operations together."""
        hub = EventHub(parts.events)
        gate = RiskGate(load_gate(settings.risk_gate))
        validating = Validating(parts, load_rules(settings.validation_rules), gate)
        templates = TemplateOperations(parts, validating)
        executions = ExecutionOperations(parts, templates, validating, hub)
        outcomes = OutcomeOperations(parts, templates)
        programs = GatewayPrograms(parts.templates, parts.commands)
        suggesting = SuggestionOperations(parts)
        receivers = ReceiverOperations(parts, settings.home, suggesting.alerted)
        keys = KeyRing(parts.keys, parts.clock, parts.ids)
        audit = Audit(parts.sink, parts.clock, parts.ids)
        return cls(
            parts=parts,
            settings=settings,
            hub=hub,
            keys=keys,
            audit=audit,
            limiter=RateLimiter(settings.gateway_rate_per_s, settings.gateway_rate_burst),
            validating=validating,
            templates=templates,
            executions=executions,
            requests=ExecutionRequests(parts, executions),
            steering=Steering(parts, executions),
            operating=Operating(parts, executions, programs),
            reruns=Reruns(parts, executions, templates, validating, programs),
            bulk=Bulk(parts, executions, templates, validating, programs, audit),
            approvals=ApprovalOperations(parts, executions, keys, programs),
            archive=ArchiveOperations(parts, executions),
            explaining=Explaining(parts, executions, programs, outcomes),
            replaying=Replaying(parts, executions, programs),
            quarantine=QuarantineOperations(parts),
            delegations=DelegationOperations(parts),
            fleet=FleetOperations(parts),
            targets=TargetOperations(parts, templates, executions),
            memories=MemoryOperations(parts),
            broadcasts=BroadcastOperations(parts),
            recording=Recording(parts, settings),
            webhooks=Webhooks.of(parts, settings),
            schedules=ScheduleOperations(parts, templates, validating),
            concurrency=ConcurrencyOperations(parts),
            rollbacks=RollbackOperations(parts, executions, templates, programs),
            outcomes=outcomes,
            proposals=ProposalOperations(parts, templates),
            analytics=AnalyticsOperations(parts),
            suggesting=suggesting,
            receivers=receivers,
            rules=RuleOperations(parts, templates, validating, receivers),
            own_events=OwnEvents(
                parts.automations.feed, parts.automations.store, receivers, parts.clock
            ),
            run_validation=RunValidation(
                parts.runs_to_validate, parts.journal, validating.of_run, parts.outage_of
            ),
        )

    async def start(self) -> None:
        """Begin to tell webhooks and rules, and to look at what the engine asks for."""
        self.run_validation.start()
        self.webhooks.start()
        self.own_events.start()

    async def close(self) -> None:
        """Stop listening and telling."""
        await self.run_validation.close()
        await self.own_events.close()
        await self.webhooks.close()
        await self.hub.close()
