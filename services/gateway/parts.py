"""What the gateway is built from: ports, made by `bootstrap` and by tests, used by operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.gateway.read_through import ReadThrough
from shared.commands.registry import CommandRegistry
from shared.ports.actors import KeyStateStore, RollbackStore
from shared.ports.agents import AgentDirectory
from shared.ports.analytics import AnalyticsStore
from shared.ports.archive import Archive
from shared.ports.automations import AutomationStore
from shared.ports.bus import BusSamples
from shared.ports.clock import Clock, Ids
from shared.ports.collective import Broadcasts, Delegations, Memories, Participants
from shared.ports.control import Control
from shared.ports.events import EventSink, EventStream
from shared.ports.idempotency import IdempotencyStore
from shared.ports.journal import AutomationJournal, Journal
from shared.ports.keys import KeyStore
from shared.ports.learning_desk import LearningDesk
from shared.ports.leases import Leases
from shared.ports.logs import LogStream
from shared.ports.outcomes import OutcomeViews
from shared.ports.proposals import ProposalStore
from shared.ports.quarantine import Quarantine
from shared.ports.receivers import ReceiverStore
from shared.ports.record import RecordSink
from shared.ports.recording import RecordingChoices
from shared.ports.rollbacks import PlanStore, RollbackDesk
from shared.ports.suggestions import Suggester
from shared.ports.tasks import TaskFeed
from shared.ports.templates import TemplateStore
from shared.ports.validator import Validator
from shared.ports.webhooks import DeliveryStore, EventFeed, WebhookStore
from shared.runtime.health import Probe


def _never(_error: BaseException) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Collective:
    """What the hive keeps together."""

    memories: Memories
    delegations: Delegations
    broadcasts: Broadcasts
    participants: Participants


@dataclass(frozen=True, slots=True)
class WebhookPorts:
    """What webhooks are kept in and made from."""

    webhooks: WebhookStore
    deliveries: DeliveryStore
    feed: EventFeed


@dataclass(frozen=True, slots=True)
class AutomationPorts:
    """What schedules and rules are asked through, kept in and fed from."""

    journal: AutomationJournal
    store: AutomationStore
    receivers: ReceiverStore
    feed: EventFeed


@dataclass(frozen=True, slots=True)
class RollbackPorts:
    """What rollbacks and their plans are kept in, and who is asked about them."""

    store: RollbackStore
    plans: PlanStore
    desk: RollbackDesk


@dataclass(frozen=True, slots=True)
class RecordPorts:
    """Where what is learned from enters, and who does not want to be recorded."""

    sink: RecordSink
    choices: RecordingChoices


@dataclass(frozen=True, slots=True)
class Parts:
    """Every port. `outage_of` names the server that is away, for an error that means this."""

    journal: Journal
    templates: TemplateStore
    executions: ReadThrough
    archive: Archive
    quarantine: Quarantine
    events: EventStream
    sink: EventSink
    logs: LogStream
    keys: KeyStore
    idempotency: IdempotencyStore
    agents: AgentDirectory
    leases: Leases
    samples: BusSamples
    collective: Collective
    webhooks: WebhookPorts
    automations: AutomationPorts
    slots: KeyStateStore
    rollbacks: RollbackPorts
    record: RecordPorts
    outcomes: OutcomeViews
    proposals: ProposalStore
    analytics: AnalyticsStore
    learning: LearningDesk
    control: Control
    validator: Validator
    runs_to_validate: TaskFeed
    suggester: Suggester
    commands: CommandRegistry
    clock: Clock
    ids: Ids
    probes: Mapping[str, Probe] = field(default_factory=dict)
    outage_of: Callable[[BaseException], str | None] = _never
