"""Where schedules are kept."""

from __future__ import annotations

from shared.contracts.automations import StoredAutomation
from shared.ports.actors import ActorStore

AutomationStore = ActorStore[StoredAutomation]
